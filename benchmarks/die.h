// How a benchmark ends when it cannot measure: without its store, or without
// its peer, it has nothing to say.
#ifndef VITRINE_BENCHMARKS_DIE_H_
#define VITRINE_BENCHMARKS_DIE_H_

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace vitrine {

// Prints `what` to stderr and exits with status 1.
[[noreturn]] inline void Die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

// The same for a failed system call, with what errno says.
[[noreturn]] inline void DieOfErrno(const std::string& what) {
  Die(what + ": " + std::strerror(errno));
}

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_DIE_H_
