// Reading, writing and closing open files.
#ifndef VITRINE_FUSEFS_FILES_OPEN_FILES_H_
#define VITRINE_FUSEFS_FILES_OPEN_FILES_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "fusefs/base/store_names.h"
#include "fusefs/files/answer.h"
#include "fusefs/files/handle_table.h"
#include "fusefs/files/open_file.h"

namespace vitrine::fusefs {

// Thread-safe.  The store must outlive it.  Held by shared_ptr: callbacks of
// the store may come when it is gone.
class OpenFiles : public std::enable_shared_from_this<OpenFiles> {
 public:
  // `hugetlbfs`: segments are there, whose files are longer than their objects.
  OpenFiles(Store* store, bool hugetlbfs)
      : store_(store), hugetlbfs_(hugetlbfs) {}

  // Returns the handle.
  uint64_t Add(std::shared_ptr<OpenFile> file) {
    return files_.Add(std::move(file));
  }
  // Closes all.
  void Clear() { files_.Clear(); }

  // Where the bytes of a read are: in `text`, or in `segment` at `offset`.
  struct ReadSource {
    std::string text;
    std::shared_ptr<SegmentFile> segment;
    uint64_t offset = 0;
    size_t size = 0;
    bool spliceable = false;
  };
  Answer<ReadSource> Read(uint64_t handle, uint64_t offset, size_t size);
  struct WriteRequest {
    uint64_t handle = 0;
    uint64_t offset = 0;
    std::span<const std::byte> data;  // Valid until the method returns.
    bool append = false;
  };
  // If the write has to wait, the wait and its data are charged to the file's
  // opener; EDQUOT: he may not have so much.  Then `claim` is called before
  // anything is written.  It returns false if the request was interrupted.
  void Write(const WriteRequest& request, std::function<bool()> claim,
             OnAnswer<size_t> done);
  // EDQUOT, too: the opener has as many waits as may be.
  void Allocate(uint64_t handle, int mode, uint64_t offset, uint64_t size,
                OnAnswer<void> done);
  Answer<off_t> Seek(uint64_t handle, off_t offset, int whence);
  Answer<void> Flush(uint64_t handle, pid_t thread_id);
  void Release(uint64_t handle);

  struct Numbers {
    size_t open = 0;
    uint64_t carried_read_bytes = 0;  // Through the store, not passed through.
    uint64_t carried_written_bytes = 0;
    uint64_t killed_writers = 0;  // Half-written objects that were aborted.
  };
  Numbers Count() const;

 private:
  Answer<size_t> WriteNow(OpenFile& file, uint64_t offset,
                          std::span<const std::byte> data);
  // Also an interrupted write has its data until the store answers.
  struct WaitingData {
    std::string bytes;
    std::shared_ptr<const void> wait;    // Charged.
    std::shared_ptr<const void> memory;  // Charged, of the size of `bytes`.
  };
  Result<std::shared_ptr<const WaitingData>> Copy(
      const Payer& payer, std::span<const std::byte> data);

  Store* const store_;
  const bool hugetlbfs_;
  HandleTable<OpenFile> files_;  // Locks itself.
  std::atomic<uint64_t> carried_read_bytes_ = 0;
  std::atomic<uint64_t> carried_written_bytes_ = 0;
  std::atomic<uint64_t> killed_writers_ = 0;
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_OPEN_FILES_H_
