// The journal: the list of sealed objects, on the same tmpfs as their memory,
// so that it lives exactly as long.  It makes a restart after SIGKILL lossless.
// The catalog is not used for that, because it is written asynchronously.
//
// An append-only file of framed records (length, checksums, payload; see
// journal.fbs).  A record is valid once it is whole: a torn tail is cut off.
// Damaged bytes are skipped: the records behind them are found again.
// When most records are dead, or some are damaged, the journal is rewritten to
// another file, which then replaces it by a rename.
//
// Invariants:
//  (1) The file is empty, or a head and whole records, and after a crash at
//  most
//      one part of a record behind them.
//  (2) Memory for the removal records of all live objects is reserved.
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
  // `contents`.  A file that is not readable stays as it is until the first
  // record takes its place.
  static Result<Journal> Open(const std::string& path,
                              JournalContents* contents);

  // Makes the file an empty journal, as the first record does, too.
  Status Begin();

  // A record is valid once the method returned OK; on failure nothing was
  // recorded.  kOutOfMemory: the file system is full.  RecordRemoved of a live
  // object never returns that.
  Status RecordSealed(const ObjectInfo& info, const Metadata& metadata);
  // Objects in slabs; all of them, or none.
  Status RecordSealedInSlabs(std::span<const JournaledObject> objects);
  // New places of sealed objects; all of them, or none.
  Status RecordMoved(std::span<const JournaledObject> objects);
  // `bytes` is the sum of their SealedRecordBytes.
  Status RecordRemoved(std::span<const uint64_t> numbers, uint64_t bytes);
  Status RecordHold(uint64_t number, bool hold);

  // True if a rewrite would at least halve it, or mend it.  Rewrite calls
  // `for_each`, which calls back with every live object.
  bool WantsRewrite() const;
  using Visitor = std::function<void(const JournaledObject& object)>;
  Status Rewrite(const std::function<void(const Visitor&)>& for_each);

  uint64_t size_bytes() const { return size_bytes_; }

 private:
  Journal(std::string path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  // Replays the file; cuts a torn tail off.
  Status Replay(JournalContents* contents);
  void ReplayRecords(std::string_view bytes, JournalContents* contents);
  Status AppendRecord(std::string_view payload, uint64_t live);
  // Appends whole records, after which there are `live` objects.  On failure
  // the file is as it was.
  Status Append(std::string_view records, uint64_t live);
  Status Write(std::string_view bytes);
  // Allocates memory up to `end_bytes`.
  Status Reserve(uint64_t end_bytes);
  // Cuts the file behind the last whole record.
  Status CutTail();
  Status AppendObjects(const std::function<void(const Visitor&)>& for_each);

  std::string path_;
  UniqueFd fd_;
  uint64_t key_ = DrawJournalKey();
  bool damaged_ = false;         // Until a rewrite.
  uint64_t size_bytes_ = 0;      // All of it whole records; 0: not begun.
  uint64_t reserved_bytes_ = 0;  // Memory is there up to here.
  bool tail_is_torn_ = false;    // A failed append could not be taken back.
  // Rewriting is not tried again before the file has this size.
  uint64_t rewrite_from_bytes_ = 0;
  uint64_t live_ = 0;        // Objects.
  uint64_t live_bytes_ = 0;  // The sum of their SealedRecordBytes.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_JOURNAL_JOURNAL_H_
