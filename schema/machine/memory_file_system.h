// The memory file system (tmpfs, hugetlbfs) of a file, and its limits.
#ifndef VITRINE_SCHEMA_MACHINE_MEMORY_FILE_SYSTEM_H_
#define VITRINE_SCHEMA_MACHINE_MEMORY_FILE_SYSTEM_H_

#include <vitrine/result.h>

#include <cstdint>
#include <optional>
#include <string>

namespace vitrine::machine {

struct MemoryFileSystem {
  enum class Kind : uint8_t { kTmpfs, kHugetlbfs, kOther };
  // In pages.
  struct Limit {
    uint64_t pages;
    uint64_t free_pages;
  };

  Kind kind;
  uint64_t page_bytes;         // Of hugetlbfs, a huge page.
  std::optional<Limit> limit;  // None: as much as the machine has.

  bool is_tmpfs() const { return kind == Kind::kTmpfs; }
  bool is_hugetlbfs() const { return kind == Kind::kHugetlbfs; }
};

// The file system of the file `path`, or of the open file `fd`.  Errors name
// `path`.
Result<MemoryFileSystem> FileSystemOf(const std::string& path);
Result<MemoryFileSystem> FileSystemOf(int fd, const std::string& path);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_MEMORY_FILE_SYSTEM_H_
