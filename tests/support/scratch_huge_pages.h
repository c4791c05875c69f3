#ifndef VITRINE_TESTS_SUPPORT_SCRATCH_HUGE_PAGES_H_
#define VITRINE_TESTS_SUPPORT_SCRATCH_HUGE_PAGES_H_

#include <fcntl.h>
#include <sys/file.h>

#include <cstdint>
#include <fstream>

#include "schema/base/unique_fd.h"

namespace vitrine {

// Gives the machine `pages` more huge pages, one process at a time, until it
// is destroyed.
class ScratchHugePages {
 public:
  explicit ScratchHugePages(uint64_t pages)
      : lock_(::open("/sys/kernel/mm/hugepages",
                     O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    ::flock(lock_.get(), LOCK_EX);
    old_pages_ = Get();
    Set(old_pages_ + pages);
    available_ = Get() == old_pages_ + pages;
  }
  ScratchHugePages(const ScratchHugePages&) = delete;
  ScratchHugePages& operator=(const ScratchHugePages&) = delete;
  ~ScratchHugePages() { Set(old_pages_); }

  bool available() const { return available_; }

 private:
  static constexpr char kPath[] =
      "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

  static uint64_t Get() {
    uint64_t pages = 0;
    std::ifstream(kPath) >> pages;
    return pages;
  }
  static void Set(uint64_t pages) { std::ofstream(kPath) << pages; }

  const UniqueFd lock_;
  uint64_t old_pages_ = 0;
  bool available_ = false;
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_SUPPORT_SCRATCH_HUGE_PAGES_H_
