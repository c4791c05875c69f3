#include "client/index/segment_table.h"

#include <bit>
#include <utility>

namespace vitrine {
namespace {

constexpr size_t kFirstPlaces = 16;
// Fibonacci hashing: 2^64 divided by the golden ratio.
constexpr uint64_t kMultiplier = 0x9e37'79b9'7f4a'7c15;

int ShiftFor(size_t places) { return 64 - std::countr_zero(places); }

}  // namespace

SegmentTable::SegmentTable()
    : places_(kFirstPlaces), shift_(ShiftFor(kFirstPlaces)) {}

size_t SegmentTable::Home(uint64_t number) const {
  return static_cast<size_t>((number * kMultiplier) >> shift_);
}

LocalSegment* SegmentTable::Find(uint64_t number) const {
  for (size_t place = Home(number); places_[place] != nullptr;
       place = Next(place)) {
    if (places_[place]->number == number) return places_[place].get();
  }
  return nullptr;
}

LocalSegment* SegmentTable::Add(const LocalSegment& segment) {
  if (2 * (size_ + 1) > places_.size()) Grow();
  auto added = std::make_unique<LocalSegment>(segment);
  LocalSegment* const result = added.get();
  Insert(std::move(added));
  ++size_;
  return result;
}

void SegmentTable::Insert(std::unique_ptr<LocalSegment> segment) {
  size_t place = Home(segment->number);
  while (places_[place] != nullptr) place = Next(place);
  places_[place] = std::move(segment);
}

void SegmentTable::Grow() {
  auto old = std::exchange(
      places_, std::vector<std::unique_ptr<LocalSegment>>(2 * places_.size()));
  shift_ = ShiftFor(places_.size());
  for (auto& segment : old) {
    if (segment != nullptr) Insert(std::move(segment));
  }
}

void SegmentTable::Remove(uint64_t number) {
  size_t hole = Home(number);
  while (places_[hole]->number != number) hole = Next(hole);
  places_[hole].reset();
  --size_;
  // Entries that a collision pushed past the hole move back, so that a find may
  // stop at the first empty place.
  for (size_t place = Next(hole); places_[place] != nullptr;
       place = Next(place)) {
    const size_t mask = places_.size() - 1;
    const size_t home = Home(places_[place]->number);
    if (((place - home) & mask) >= ((place - hole) & mask)) {
      places_[hole] = std::move(places_[place]);
      hole = place;
    }
  }
}

}  // namespace vitrine
