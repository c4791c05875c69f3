// A memory cgroup of its own for a test.
#ifndef VITRINE_TESTS_SYSTEM_MEMORY_CGROUP_H_
#define VITRINE_TESTS_SYSTEM_MEMORY_CGROUP_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace vitrine {

// Of version 1 or 2, below that of the test.  Removed at destruction: nothing
// may be left in it by then.  One thread.
class MemoryCgroup {
 public:
  MemoryCgroup();
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;
  ~MemoryCgroup();

  // Why there is none; empty: there is.
  const std::string& why_not() const { return why_not_; }
  // The calling process, and what it forks from now on, belong to it.  System
  // calls only.
  bool Enter() const;
  // They belong to that of before again.
  bool Leave() const;

  // Of version 2 both limits, the softer one first.  False: the kernel refuses,
  // because more is used and it cannot take it back.
  bool SetLimit(uint64_t bytes) const;
  uint64_t UsedBytes() const;
  // The file of the limit that the store should name.
  std::string limit_file() const;

 private:
  std::string directory_;
  std::string above_;  // That of the test.
  bool first_version_ = false;
  std::string why_not_;
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_SYSTEM_MEMORY_CGROUP_H_
