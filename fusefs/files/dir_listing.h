#ifndef VITRINE_FUSEFS_FILES_DIR_LISTING_H_
#define VITRINE_FUSEFS_FILES_DIR_LISTING_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fusefs/base/store_names.h"
#include "schema/base/mutex.h"

namespace vitrine::fusefs {

// One open directory.  Its first read takes a snapshot, and each read from the
// start takes a new one.  Offsets therefore stay valid while objects come and
// go.  Objects that have gone since the snapshot are left out.  Thread-safe.
// The store must outlive it.
class DirListing {
 public:
  DirListing(Store* store, uint64_t dir) : store_(store), dir_(dir) {}

  struct Entry {
    std::string name;
    uint64_t node = 0;
    mode_t type = 0;    // S_IFREG and the like.
    ObjectRef object;   // Null: one of the fixed entries.
    uint64_t next = 0;  // The offset of the next entry.
  };

  // Calls `visit` with the entries from `offset` on, until it returns false.
  void Read(uint64_t offset, const std::function<bool(const Entry&)>& visit)
      EXCLUDES(mutex_);

 private:
  struct Snapshot {
    std::vector<Entry> fixed;
    std::vector<ObjectRef> objects;
  };

  Snapshot Take() const;
  // False: the object has gone.
  bool Describe(const ObjectRef& object, Entry* entry) const;

  Store* const store_;
  const uint64_t dir_;

  Mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_DIR_LISTING_H_
