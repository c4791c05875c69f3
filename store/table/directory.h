// The directory: which object has which id, and whether its bytes are in
// memory.
//
// Sealed objects are found through the shared index, whose hash table of ids
// the store itself uses, too: an id leads to a slot, the slot to the object.
//
// Invariants:
//  (1) An unsealed object has no slot; a sealed one has exactly one, which no
//      other object has.
//  (2) At most one sealed and one unsealed object have a given id, and they
//      are the same id only while Seal moves the one to the other.
//  (3) sealed_bytes() is what the sealed objects cost; elsewhere_bytes() is the
//      sum of the sizes of those that are elsewhere.
//  (4) A sealed object is elsewhere exactly if its slot says so.
#ifndef VITRINE_STORE_TABLE_DIRECTORY_H_
#define VITRINE_STORE_TABLE_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/base/live_objects.h"
#include "store/index/index_writer.h"
#include "store/table/object_record.h"

namespace vitrine::store {

// Owns the index.  Not thread-safe: the object table's lock guards it.
class Directory {
 public:
  explicit Directory(IndexWriter index) : index_(std::move(index)) {}

  // Null: no such object.
  ObjectRef FindSealed(std::string_view id) const;
  ObjectRef FindUnsealed(const std::string& id) const;
  bool IsTaken(const std::string& id) const {
    return unsealed_.contains(id) || FindSealed(id) != nullptr;
  }
  // The sealed object in an index slot; null: none, or no such slot.
  ObjectRef InSlot(uint32_t slot) const;
  // For each, whether an object of that number has that id.
  std::vector<bool> AreAlive(std::span<const KnownObject> objects) const;

  void AddUnsealed(const ObjectRef& object);
  void RemoveUnsealed(std::string_view id) { unsealed_.erase(std::string(id)); }
  // Shows a sealed object to everybody, and sets its slot.  kAlreadyExists:
  // another one has the key of its id.  kOutOfMemory: no slot.
  Status Publish(const ObjectRef& object);
  void Unpublish(ObjectRecord* object);
  // The bytes of a sealed object, whose slot is marked as being evicted, are
  // elsewhere from now on.
  void SendElsewhere(ObjectRecord* object);
  // They are in memory again, where the record says.
  void Return(ObjectRecord* object);

  size_t sealed_objects() const { return sealed_objects_; }
  uint64_t sealed_bytes() const { return sealed_bytes_; }
  size_t elsewhere_objects() const { return elsewhere_objects_; }
  uint64_t elsewhere_bytes() const { return elsewhere_bytes_; }
  size_t unsealed_objects() const { return unsealed_.size(); }
  uint64_t unsealed_bytes() const;

  // All objects in `state`, with their numbers, in no order.
  std::vector<std::pair<uint64_t, ObjectRef>> List(ObjectState state) const;
  // Sealed objects by slot; null: the slot is free.
  const std::deque<ObjectRef>& slots() const { return sealed_by_slot_; }

  // What readers see of a sealed object's slot.
  IndexWriter& index() { return index_; }
  const IndexWriter& index() const { return index_; }

 private:
  void SetElsewhere(ObjectRecord* object, bool elsewhere);

  IndexWriter index_;
  std::unordered_map<std::string, ObjectRef> unsealed_;
  std::deque<ObjectRef> sealed_by_slot_;  // A deque has no empty half.
  size_t sealed_objects_ = 0;
  uint64_t sealed_bytes_ = 0;
  size_t elsewhere_objects_ = 0;
  uint64_t elsewhere_bytes_ = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_DIRECTORY_H_
