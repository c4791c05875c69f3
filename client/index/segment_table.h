#ifndef VITRINE_CLIENT_INDEX_SEGMENT_TABLE_H_
#define VITRINE_CLIENT_INDEX_SEGMENT_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace vitrine {

// A segment that is mapped, as one stripe sees it.
struct LocalSegment {
  uint64_t number;
  const std::byte* data;
  size_t size_bytes;
  uint32_t references;  // Of objects in hand, through this stripe.
  bool used;            // Since it was last considered for unmapping.
  bool recalled;        // To be unmapped once no object in hand needs it.
};

// Segment numbers to LocalSegments, whose addresses are stable.  An open hash
// table: a find is one multiplication and, mostly, one probe.
// Not thread-safe.
class SegmentTable {
 public:
  SegmentTable();

  // nullptr: not there.
  LocalSegment* Find(uint64_t number) const;
  // `segment.number` is not in it yet.
  LocalSegment* Add(const LocalSegment& segment);
  // `number` must be in the table.
  void Remove(uint64_t number);
  size_t size() const { return size_; }

 private:
  size_t Home(uint64_t number) const;
  size_t Next(size_t place) const { return (place + 1) & (places_.size() - 1); }
  void Insert(std::unique_ptr<LocalSegment> segment);
  void Grow();

  // A power of two, at most half full.
  std::vector<std::unique_ptr<LocalSegment>> places_;
  size_t size_ = 0;
  int shift_;  // Of a product to its highest bits.
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_INDEX_SEGMENT_TABLE_H_
