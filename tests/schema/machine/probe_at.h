#ifndef VITRINE_TESTS_SCHEMA_MACHINE_PROBE_AT_H_
#define VITRINE_TESTS_SCHEMA_MACHINE_PROBE_AT_H_

#include <fcntl.h>
#include <vitrine/result.h>

#include <string>

#include "schema/base/unique_fd.h"

namespace vitrine::machine {

// What `probe` says of the directory `path`.
inline Status ProbeAt(Status (*probe)(int dir), const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return probe(fd.get());
}

}  // namespace vitrine::machine

#endif  // VITRINE_TESTS_SCHEMA_MACHINE_PROBE_AT_H_
