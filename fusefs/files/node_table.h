// The nodes of objects that the kernel knows: for each the number of its
// look-ups, where it has names, and the object behind it.
//
// Invariants:
//  (1) A node is here while the kernel's count of look-ups is not zero.
//  (2) An object's handle lives as long as its node, also after it is gone.
#ifndef VITRINE_FUSEFS_FILES_NODE_TABLE_H_
#define VITRINE_FUSEFS_FILES_NODE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "fusefs/base/store_names.h"
#include "fusefs/files/node_id.h"
#include "schema/base/mutex.h"

namespace vitrine::fusefs {

// Thread-safe.  Its mutex is the innermost: it calls nobody.
class NodeTable {
 public:
  // Counts one look-up of `node`, which stands for `object`, in `dir`.
  void Add(uint64_t node, const ObjectRef& object, uint64_t dir)
      EXCLUDES(mutex_);
  // The kernel dropped `lookups` look-ups.  Unknown nodes are ignored.
  void Forget(uint64_t node, uint64_t lookups) EXCLUDES(mutex_);

  // Null: not known.
  ObjectRef FindObject(uint64_t node) const EXCLUDES(mutex_);
  // The kernel gives the node a name in `dir`, or drops it, by a rename.
  void AddName(uint64_t node, uint64_t dir) EXCLUDES(mutex_);
  void DropName(uint64_t node, uint64_t dir) EXCLUDES(mutex_);
  // The directories in which it may have a name; none: the kernel does not know
  // it.
  std::vector<uint64_t> DirsOf(uint64_t node) const EXCLUDES(mutex_);
  // Notes that the sealed object of `node` is opened.  True: this has happened
  // before since the kernel knows the node.
  bool NoteSealedOpen(uint64_t node) EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

 private:
  struct Node {
    uint64_t lookups = 0;
    ObjectRef object;
    uint8_t dirs = 0;  // A bit for each of the fixed nodes.
    bool opened_sealed = false;
  };

  mutable Mutex mutex_;
  std::unordered_map<uint64_t, Node> nodes_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_NODE_TABLE_H_
