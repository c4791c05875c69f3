// The journal: which sealed objects there are, on the same tmpfs as their
// memory, so that it lives exactly as long.  It is what makes a restart after
// SIGKILL lossless; the catalog, which is written behind, is not asked.
//
// An append-only file of framed records (length, XXH3-64 checksum, FlatBuffer
// of journal.fbs).  A record counts once it is whole: a torn tail is cut off.
// When most of it is dead it is rewritten beside and renamed.
#ifndef VITRINE_STORE_JOURNAL_H_
#define VITRINE_STORE_JOURNAL_H_

#include <vitrine/metadata.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "schema/base/unique_fd.h"
#include "store/object.h"

namespace vitrine {

struct JournaledObject {
  ObjectInfo info;
  Metadata metadata;
};

// Not thread-safe: the object table's lock guards it.
class Journal {
 public:
  // Opens the journal at `path`, or makes an empty one, and replays it into
  // `objects` (by number).  kCorruption: a whole record makes no sense.
  static Result<Journal> Open(const std::string& path,
                              std::map<uint64_t, JournaledObject>* objects);

  // Each is in force once it returned OK; on failure nothing was recorded.
  // kOutOfMemory: the file system is full.
  Status RecordSealed(const ObjectInfo& info, const Metadata& metadata);
  Status RecordRemoved(uint64_t number);
  Status RecordHold(uint64_t number, bool hold);

  // True if a rewrite would at least halve it.  Rewrite calls `for_each`,
  // which calls back with every live object.
  bool WantsRewrite() const;
  using Visitor =
      std::function<void(const ObjectInfo& info, const Metadata& metadata)>;
  Status Rewrite(const std::function<void(const Visitor&)>& for_each);

  uint64_t size_bytes() const;
};

}  // namespace vitrine

#endif  // VITRINE_STORE_JOURNAL_H_
