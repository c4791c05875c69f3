#ifndef VITRINE_FUSEFS_FILES_DIR_LISTING_H_
#define VITRINE_FUSEFS_FILES_DIR_LISTING_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "fusefs/base/store_names.h"
#include "fusefs/files/listing_snapshots.h"

namespace vitrine::fusefs {

// One open directory.  Each read from the start takes a snapshot.  The offset
// of an object comes from its number, so that it means the same in each
// snapshot: an object that is there all the time is read exactly once, though
// others come and go.  Objects that have gone since the snapshot are left out.
// Thread-safe. The store must outlive it.
class DirListing {
 public:
  // `snapshots`: those of the user who opened it.
  DirListing(Store* store, uint64_t dir,
             std::shared_ptr<UserSnapshots> snapshots)
      : store_(store), dir_(dir), snapshots_(std::move(snapshots)) {}

  struct Entry {
    std::string name;
    uint64_t node = 0;
    mode_t type = 0;    // S_IFREG and the like.
    ObjectRef object;   // Null: one of the fixed entries.
    uint64_t next = 0;  // The offset of the next entry.
  };

  // Calls `visit` with the entries from `offset` on, until it returns false.
  void Read(uint64_t offset,
            const std::function<bool(const Entry&)>& visit) const;

 private:
  // What a read from `offset` on lists.
  std::shared_ptr<const UserSnapshots::Objects> ObjectsFor(
      uint64_t offset) const;
  // False: the object has gone.
  bool Describe(const ObjectRef& object, Entry* entry) const;

  Store* const store_;
  const uint64_t dir_;
  const std::shared_ptr<UserSnapshots> snapshots_;
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_DIR_LISTING_H_
