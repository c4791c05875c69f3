// A slab: one segment that holds many small objects.
#ifndef VITRINE_STORE_TABLE_SLAB_H_
#define VITRINE_STORE_TABLE_SLAB_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "schema/base/mapping.h"
#include "store/segments/segment_file.h"
#include "store/table/eviction_policy.h"

namespace vitrine::store {

// Places objects one behind the other while it is open, and counts those that
// live in it.  No place is used twice: a process that still has the segment
// of deleted objects mapped goes on reading their bytes.
//
// Not thread-safe: the object table's lock guards it.
class Slab {
 public:
  static constexpr uint64_t kAlignmentBytes = 64;

  // `memory` is the whole segment, writable, and nobody else writes there.
  Slab(uint64_t segment, Mapping memory)
      : segment_(segment),
        size_bytes_(memory.size_bytes()),
        memory_(std::move(memory)) {
    eviction.slab = this;
  }
  // A closed one.
  Slab(uint64_t segment, uint64_t size_bytes)
      : segment_(segment), size_bytes_(size_bytes) {
    eviction.slab = this;
  }

  uint64_t segment() const { return segment_; }
  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t end_bytes() const { return end_bytes_; }  // Placed so far.

  bool open() const { return memory_.data() != nullptr; }
  // Empty objects take a place, too: a slab holds no more than it has places.
  // Nor has it room once the metadata of its objects, which is charged without
  // a wait for memory, costs as much as the slab.
  bool HasRoom(uint64_t bytes) const {
    return open() && metadata_charge_ < size_bytes_ &&
           std::max<uint64_t>(bytes, 1) <= size_bytes_ - end_bytes_;
  }
  // Copies `data` to the next place and returns its offset.  There is room.
  uint64_t Place(std::span<const std::byte> data,
                 uint64_t metadata_charge = 0) {
    const uint64_t offset = end_bytes_;
    metadata_charge_ += metadata_charge;
    if (!data.empty()) {
      std::memcpy(memory_.data() + offset, data.data(), data.size());
    }
    const uint64_t end = offset + std::max<size_t>(data.size(), 1);
    end_bytes_ =
        (end + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
    return offset;
  }
  // What was placed from `end_bytes` on was told to nobody.
  void Rewind(uint64_t end_bytes) { end_bytes_ = end_bytes; }
  // Nothing more will be placed.
  void Close() {
    memory_ = Mapping();
    SetOwner();
    std::sort(slots_.begin(), slots_.end());
    slots_.erase(std::unique(slots_.begin(), slots_.end()), slots_.end());
    slots_.shrink_to_fit();
  }

  // The object in index slot `slot` lives here.
  void Add(uint32_t slot, uint64_t bytes) {
    slots_.push_back(slot);
    ++live_;
    live_bytes_ += bytes;
  }
  // They are of an object of `uid`.
  void CountPlaced(uid_t uid, uint64_t bytes) {
    for (auto& [user, placed] : placed_) {
      if (user == uid) return void(placed += bytes);
    }
    placed_.emplace_back(uid, bytes);
  }
  // Whoever has placed most of what is in it.  All of it goes with his.
  void SetOwner() {
    uint64_t most = 0;
    for (const auto& [uid, bytes] : placed_) {
      if (bytes < most) continue;
      most = bytes;
      eviction.owner = uid;
    }
    placed_ = {};
  }
  void Remove(uint64_t bytes) {
    --live_;
    live_bytes_ -= bytes;
  }
  size_t live() const { return live_; }
  // It is worth less than what it costs: nothing will be placed here, and
  // moving the rest elsewhere frees at least four times what is moved.
  bool sparse() const {
    const uint64_t places = live_bytes_ + live_ * kAlignmentBytes;
    return !open() && live_ > 0 && places <= size_bytes_ / 4;
  }
  // Slots of those that live here, and of some that did.  Once it is closed, of
  // each only once.
  const std::vector<uint32_t>& slots() const { return slots_; }

  // So that the first `count` of slots() are the last.
  void Rotate(size_t count) {
    const auto first = static_cast<ptrdiff_t>(std::min(count, slots_.size()));
    std::rotate(slots_.begin(), slots_.begin() + first, slots_.end());
  }

  bool going = false;  // Its eviction has begun.
  size_t held = 0;     // Live ones that are held.
  EvictionEntry eviction;
  // The store's one description of the segment, while somebody needs it.
  std::weak_ptr<SegmentFile> shared;

 private:
  const uint64_t segment_;
  const uint64_t size_bytes_;  // A multiple of kAlignmentBytes.
  Mapping memory_;
  uint64_t end_bytes_ = 0;
  uint64_t metadata_charge_ = 0;  // Of all that was placed.
  size_t live_ = 0;
  uint64_t live_bytes_ = 0;
  std::vector<uint32_t> slots_;
  std::vector<std::pair<uid_t, uint64_t>> placed_;  // While it is open.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_SLAB_H_
