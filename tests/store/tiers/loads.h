// Objects with their bytes, for a tier.
#ifndef VITRINE_TESTS_STORE_TIERS_LOADS_H_
#define VITRINE_TESTS_STORE_TIERS_LOADS_H_

#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "store/tiers/tier.h"
#include "tests/store/tiers/bytes.h"

namespace vitrine::store {

// All that a head of a spilled value keeps.
inline std::string Describe(const ObjectInfo& info) {
  std::string text = info.id.text();
  for (const uint64_t value :
       {info.number, info.size_bytes, info.charged_bytes, uint64_t{info.mode},
        uint64_t{info.uid}, uint64_t{info.gid},
        static_cast<uint64_t>(info.creator_pid),
        static_cast<uint64_t>(info.created_ns),
        static_cast<uint64_t>(info.modified_ns),
        static_cast<uint64_t>(info.sealed_ns),
        static_cast<uint64_t>(info.used_ns), info.use_count,
        uint64_t{info.hold}}) {
    text += '|' + std::to_string(value);
  }
  return text;
}

inline ObjectInfo InfoOf(uint64_t number, uint64_t size_bytes) {
  return {.number = number,
          .id = *ObjectId::FromText("object " + std::to_string(number)),
          .state = ObjectState::kSealed,
          .size_bytes = size_bytes,
          .charged_bytes = size_bytes + 1,
          .mode = 0640,
          .uid = 1000,
          .gid = 1001,
          .creator_pid = 4711,
          .created_ns = 11,
          .modified_ns = 12,
          .sealed_ns = 13,
          .used_ns = 14,
          .use_count = 15,
          .hold = number % 2 == 1};
}

// Owns the bytes.
class Loads {
 public:
  void Add(uint64_t number, std::string bytes, Metadata metadata = {},
           bool in_slab = false) {
    bytes_.push_back(std::move(bytes));
    ObjectInfo info = InfoOf(number, bytes_.back().size());
    if (in_slab) info.slab = 99;
    loads_.push_back(
        {info, ShareMetadata(std::move(metadata)), AsBytes(bytes_.back())});
  }
  const std::vector<Tier::Load>& loads() const { return loads_; }

 private:
  std::deque<std::string> bytes_;
  std::vector<Tier::Load> loads_;
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_TIERS_LOADS_H_
