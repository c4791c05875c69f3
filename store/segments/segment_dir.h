// Files that hold memory, in one directory on tmpfs or hugetlbfs.
#ifndef VITRINE_STORE_SEGMENTS_SEGMENT_DIR_H_
#define VITRINE_STORE_SEGMENTS_SEGMENT_DIR_H_

#include <vitrine/result.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/machine/memory_file_system.h"
#include "store/host/numa_policy.h"
#include "store/segments/segment_calls.h"
#include "store/segments/segment_file.h"

namespace vitrine::store {

// The directory of segments.  Thread-safe: all state is the kernel's.
class SegmentDir {
 public:
  // `path` exists.  `retired_path` is on the same file system, and all segments
  // in it are removed; empty: segments cannot be retired.  kUnsupported:
  // neither tmpfs nor hugetlbfs, or the kernel grants no leases there.
  static Result<SegmentDir> Open(const std::string& path,
                                 const std::string& retired_path = "");

  // From now on memory is allocated by `policy`.
  void SetNumaPolicy(const NumaPolicy& policy) { numa_ = policy; }
  // From now on the whole huge-page ranges of a growing segment get huge pages.
  void UseHugePages();
  // The kernel gives huge pages to writes that fill them.
  bool whole_writes_get_huge_pages() const { return huge_writes_; }

  // From now on CollapseRetired does something, if the kernel can.
  void TryCollapse();
  bool collapses() const { return collapsed_bytes_ != nullptr; }
  // What it has collapsed.
  uint64_t collapsed_bytes() const {
    return collapses() ? collapsed_bytes_->load() : 0;
  }

  // Makes an empty segment that only the store's user can open.
  Status Create(uint64_t number);
  // kNotFound: no such segment.
  Result<std::shared_ptr<SegmentFile>> OpenShared(uint64_t number) const;
  // A new description with `flags` (O_RDONLY or O_RDWR) for another process.
  Result<UniqueFd> OpenFresh(uint64_t number, int flags) const;
  Status SetSize(uint64_t number, uint64_t size_bytes);
  // Allocates memory for the range without changing the size.  kOutOfMemory:
  // the file system is full; nothing was allocated that was not before.
  Status Reserve(uint64_t number, uint64_t offset_bytes, uint64_t size_bytes);
  // Frees memory beyond the size.  The segment must have no writer.
  Status TrimToSize(uint64_t number);
  // Replaces small pages by huge ones in whole huge-page ranges
  // (MADV_COLLAPSE), as far as the kernel can.  The segment must have no
  // writer.
  void Collapse(uint64_t number, uint64_t size_bytes) const;
  // Writes `data` at `offset_bytes`; the range is reserved.  On hugetlbfs, too.
  Status WriteAt(uint64_t number, uint64_t offset_bytes,
                 std::span<const std::byte> data);
  // Takes all pages out of the range, which is of whole units of
  // largest_page_bytes(), even those that somebody has pinned: they are not the
  // file's any more.
  Status TakeOutPages(uint64_t number, uint64_t offset_bytes,
                      uint64_t size_bytes);
  // Gives a range without pages, of whole huge pages, new ones with `data`.
  // kOutOfMemory: there are none, or only some were given.
  Status PutInPages(uint64_t number, uint64_t offset_bytes,
                    std::span<const std::byte> data);
  Status SetModified(uint64_t number, int64_t modified_ns);
  // Sets the mode for a sealed object: 0444 if `readable_by_all`, else 0400.
  Status MakeReadOnly(uint64_t number, bool readable_by_all);
  Status Unlink(uint64_t number);

  // --- retired segments (segment_dir_retired.cc) ---
  // A retired segment keeps its pages, but only the store's user can open it.
  // None outlives the next Open.

  // Takes the segment out of the directory; as a retired one it has the number
  // `retired`.  Processes that have it open or mapped keep it.  kUnsupported:
  // there is no directory for retired segments.
  Status Retire(uint64_t number, uint64_t retired);
  bool can_retire() const { return retired_fd_.valid(); }
  // Makes a retired segment of `size_bytes` with cleared pages.  kOutOfMemory:
  // there are not enough pages.
  Status MakeRetired(uint64_t number, uint64_t size_bytes);
  // Makes a retired segment that has memory for `size_bytes`, to be filled
  // through the descriptor, which can read and write.
  Result<UniqueFd> CreateRetired(uint64_t number, uint64_t size_bytes);
  // Prepares a retired segment for another object: cuts it to `size_bytes` if
  // it is larger, and to whole huge pages if it has to grow.  Returns its
  // extent then.  kInUse: a process has it open.
  Result<SegmentFile::Extent> Refit(uint64_t number, uint64_t size_bytes);
  // Replaces small pages by huge ones, where TryCollapse succeeded.  Ranges
  // that are huge already cost little.
  void CollapseRetired(uint64_t number, uint64_t size_bytes) const;
  // Puts a retired segment back under a new number; only the store's user can
  // open it.
  Status Reinstate(uint64_t retired, uint64_t number);
  // The store's description of a retired segment.
  Result<std::shared_ptr<SegmentFile>> OpenRetired(uint64_t number) const;
  // Its name goes; whoever has it keeps it.
  Status RemoveRetired(uint64_t number);
  // Removes a retired segment.  Returns it if a process has it open or mapped,
  // because its memory is not free before that ends.  Null: its memory is free.
  Result<std::shared_ptr<SegmentFile>> UnlinkRetired(uint64_t number);

  // The numbers of all segments; other names are ignored.
  Result<std::vector<uint64_t>> ListAll() const;
  // The memory of a segment that MakeReadOnly was called for; none: it was not,
  // or there is no such segment.
  Result<std::optional<uint64_t>> SealedBytes(uint64_t number) const;

  const std::string& path() const { return path_; }
  std::string PathOf(uint64_t number) const;
  const NumaPolicy& numa_policy() const { return numa_; }
  bool is_hugetlbfs() const { return hugetlbfs_; }
  // No page of a segment is larger; each lies at a multiple of its size.
  uint64_t largest_page_bytes() const { return largest_page_bytes_; }
  // Granularity of charges: 4096, or the huge page size on hugetlbfs.
  uint64_t page_bytes() const { return page_bytes_; }
  // The size of writes that fill whole pages as the kernel gives them.
  uint64_t write_bytes() const {
    return huge_writes_ ? kTmpfsHugePageBytes : 4096;
  }
  // A new O_PATH description of the directory, for clients.
  Result<UniqueFd> OpenPath() const;

  struct Space {
    uint64_t total_bytes;
    uint64_t free_bytes;
  };
  Result<Space> GetSpace() const;
  // What is left of the file system's own limit; UINT64_MAX: it has none, or
  // nobody knows.
  uint64_t FreeBytes() const;

 private:
  SegmentDir(std::string path, UniqueFd fd, UniqueFd retired_fd, bool hugetlbfs,
             uint64_t page_bytes, uint64_t largest_page_bytes)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        retired_fd_(std::move(retired_fd)),
        hugetlbfs_(hugetlbfs),
        page_bytes_(page_bytes),
        largest_page_bytes_(largest_page_bytes) {}

  // Makes an empty segment in `dir`: the directory, or that of retired
  // segments.
  Status CreateIn(int dir, uint64_t number);
  // Allocates memory for the range; on hugetlbfs whole pages.
  Status Allocate(int fd, uint64_t offset_bytes, uint64_t size_bytes);
  Status WriteHuge(int fd, uint64_t offset_bytes,
                   std::span<const std::byte> data);
  // Size of a segment's file; on hugetlbfs whole pages.
  uint64_t FileBytes(uint64_t size_bytes) const;
  // Cuts a retired segment as Refit says.
  Status FitTo(const SegmentFile& file, uint64_t have_bytes,
               uint64_t size_bytes) const;
  // `mount`: the limit of the hugetlbfs itself.
  Space HugeSpace(
      const std::optional<machine::MemoryFileSystem::Limit>& mount) const;

  std::string path_;
  UniqueFd fd_;
  UniqueFd retired_fd_;  // Invalid: there is no such directory.
  bool hugetlbfs_;
  uint64_t page_bytes_;
  uint64_t largest_page_bytes_;
  bool huge_pages_ = false;
  bool huge_writes_ = false;
  // Null: there is no collapsing.
  std::unique_ptr<std::atomic<uint64_t>> collapsed_bytes_;
  NumaPolicy numa_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_SEGMENT_DIR_H_
