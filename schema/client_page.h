// A client's own page: what one client tells the store without a message.
//
// One file for each client, made by the store, mapped writable by that client
// and by the store.  The store trusts none of it: every value is bounded before
// use.  The worst that a broken client can do is to keep objects from being
// evicted and to cause needless wake-ups.
// When the client dies, the store drops the page, hence its pins.
#ifndef VITRINE_SCHEMA_CLIENT_PAGE_H_
#define VITRINE_SCHEMA_CLIENT_PAGE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace vitrine {

// Stripes keep a client's threads out of each other's way.
inline constexpr size_t kPageStripes = 16;
inline constexpr size_t kPinsPerStripe = 1024;
inline constexpr size_t kTouchesPerStripe = 256;  // A power of two.

// A pin: slot number + 1 in the low 32 bits, the low 32 bits of the slot's
// generation above.  Zero: no pin.
constexpr uint64_t MakePin(uint32_t slot, uint64_t generation) {
  return generation << 32 | (uint64_t{slot} + 1);
}

// The bit in ClientPage::awaited_groups that stands for a group of keys
// (KeyGroupOf).  A bit set for another key costs a needless system call.
constexpr uint64_t AwaitedBit(uint32_t group) {
  return uint64_t{1} << (group % 64);
}

struct alignas(64) PageStripe {
  // Pins at and beyond this number have never been used: a hint for the
  // store's scan, which bounds it by kPinsPerStripe.
  std::atomic<uint32_t> pins_high_water;
  // Number of all touches; the ring keeps the last kTouchesPerStripe of them.
  std::atomic<uint32_t> touch_count;
  alignas(64) std::array<std::atomic<uint64_t>, kPinsPerStripe> pins;
  // Slot numbers that this client got, for recency.  Lossy.
  std::array<std::atomic<uint32_t>, kTouchesPerStripe> touches;
};

struct ClientPage {
  // How many mappings the client keeps that no object in hand needs.  The store
  // recalls them (protocol: Recall) when they prevent an eviction.
  alignas(64) std::atomic<uint32_t> kept_mappings;
  // Threads that wait on the index, for the store's status.
  std::atomic<uint32_t> waiters;
  // The AwaitedBits of the keys for which threads wait (index_layout.h).
  std::atomic<uint64_t> awaited_groups;
  std::array<PageStripe, kPageStripes> stripes;
};

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_CLIENT_PAGE_H_
