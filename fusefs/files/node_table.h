// The nodes that the kernel knows: for each the number of its look-ups, and the
// object behind it.
//
// Invariants:
//  (1) A node is here while the kernel's count of look-ups is not zero.
//  (2) An object's handle lives as long as its node, also after it is gone.
#ifndef VITRINE_FUSEFS_FILES_NODE_TABLE_H_
#define VITRINE_FUSEFS_FILES_NODE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "fusefs/base/store_names.h"
#include "fusefs/files/node_id.h"
#include "schema/base/mutex.h"

namespace vitrine::fusefs {

// Thread-safe.  Its mutex is the innermost: it calls nobody.
class NodeTable {
 public:
  // Counts one look-up of `node`, which stands for `object`.
  void Add(uint64_t node, const ObjectRef& object) EXCLUDES(mutex_);
  // Makes a node, looked up once, that waits for `id`.
  uint64_t AddWait(const ObjectId& id) EXCLUDES(mutex_);
  // The kernel dropped `lookups` look-ups.  Unknown nodes are ignored.
  void Forget(uint64_t node, uint64_t lookups) EXCLUDES(mutex_);

  // Null: not known, or not an object's.
  ObjectRef FindObject(uint64_t node) const EXCLUDES(mutex_);
  std::optional<ObjectId> FindWait(uint64_t node) const EXCLUDES(mutex_);
  bool Knows(uint64_t node) const EXCLUDES(mutex_);
  // Notes that the sealed object of `node` is opened.  True: this has happened
  // before since the kernel knows the node.
  bool NoteSealedOpen(uint64_t node) EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

 private:
  struct Node {
    uint64_t lookups = 0;
    ObjectRef object;
    std::unique_ptr<ObjectId> wait_id;
    bool opened_sealed = false;
  };

  mutable Mutex mutex_;
  uint64_t last_wait_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<uint64_t, Node> nodes_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_NODE_TABLE_H_
