// The journal: which sealed objects there are, on the same tmpfs as their
// memory, so that it lives exactly as long.  It is what makes a restart after
// SIGKILL lossless; the catalog, which is written behind, is not asked.
//
// An append-only file of framed records (length, checksum, payload; see
// journal.fbs).  A record counts once it is whole: a torn tail is cut off.
// When most of it is dead it is rewritten beside and renamed.
//
// Invariants:
//  (1) The file is a head and whole records, and after a crash at most one part
//      of a record behind them.
//  (2) Memory for removing every live object is there already.
#ifndef VITRINE_STORE_JOURNAL_JOURNAL_H_
#define VITRINE_STORE_JOURNAL_JOURNAL_H_

#include <vitrine/metadata.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/base/unique_fd.h"
#include "store/base/object.h"
#include "store/journal/journal_record.h"
#include "store/journal/journal_replay.h"

namespace vitrine::store {

// Not thread-safe: the object table's lock guards it.
class Journal {
 public:
  // Opens the journal at `path`, or makes an empty one, and replays it into
  // `objects`.  kCorruption: a whole record makes no sense.
  static Result<Journal> Open(const std::string& path,
                              std::vector<JournaledObject>* objects);

  // Each is in force once it returned OK; on failure nothing was recorded.
  // kOutOfMemory: the file system is full; RecordRemoved of a live object
  // never says so.
  Status RecordSealed(const ObjectInfo& info, const Metadata& metadata);
  // All of them, or none: objects in slabs.
  Status RecordSealedInSlabs(std::span<const ObjectInfo> infos);
  // Those that were sealed are at other places now; all of them, or none.
  Status RecordMoved(std::span<const ObjectInfo> infos);
  // `bytes` is what SealedRecordBytes says of them together.
  Status RecordRemoved(std::span<const uint64_t> numbers, uint64_t bytes);
  Status RecordHold(uint64_t number, bool hold);

  // True if a rewrite would at least halve it.  Rewrite calls `for_each`,
  // which calls back with every live object.
  bool WantsRewrite() const;
  using Visitor =
      std::function<void(const ObjectInfo& info, const Metadata& metadata)>;
  Status Rewrite(const std::function<void(const Visitor&)>& for_each);

  uint64_t size_bytes() const { return size_bytes_; }

 private:
  Journal(std::string path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  // Makes the file an empty journal.
  Status Begin();
  // Replays the file; cuts a torn tail off.
  Status Replay(std::vector<JournaledObject>* objects);
  // Replays `bytes` until their end, or until a torn tail.
  Status ReplayRecords(std::string_view bytes, JournalReplay* replay);
  // Appends whole records, after which there are `live` objects.  On failure
  // the file is as it was.
  Status Append(std::string_view records, uint64_t live);
  // Takes memory up to `end_bytes`.
  Status Reserve(uint64_t end_bytes);
  // Cuts the file behind the last whole record.
  Status CutTail();
  Status AppendObjects(const std::function<void(const Visitor&)>& for_each);

  std::string path_;
  UniqueFd fd_;
  uint64_t size_bytes_ = 0;      // All of it whole records.
  uint64_t reserved_bytes_ = 0;  // Memory is there up to here.
  bool tail_is_torn_ = false;    // A failed append could not be taken back.
  // Rewriting is not tried again before the file has this size.
  uint64_t rewrite_from_bytes_ = 0;
  uint64_t live_ = 0;        // Objects.
  uint64_t live_bytes_ = 0;  // What SealedRecordBytes says of them.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_JOURNAL_JOURNAL_H_
