#include "store/host/memory_sizes.h"

#include <algorithm>

#include "schema/base/size.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kDefaultCapacityPercent = 30;
constexpr uint64_t kDefaultOvershootPart = 8;

uint64_t RoundDown(uint64_t bytes, uint64_t page_bytes) {
  return bytes / page_bytes * page_bytes;
}

Result<uint64_t> ChooseCapacity(const StoreOptions& options,
                                const MemoryLimit& limit, uint64_t page_bytes) {
  const uint64_t wanted = options.capacity_bytes.value_or(
      limit.bytes / 100 * kDefaultCapacityPercent);
  if (wanted > limit.bytes) {
    return Error{Code::kTooLarge,
                 "capacity " + FormatSize(wanted) + " is more than " +
                     limit.source + ", which is " + FormatSize(limit.bytes) +
                     "; choose a smaller --capacity" +
                     (limit.remedy.empty() ? "" : ", or " + limit.remedy)};
  }
  const uint64_t capacity = RoundDown(wanted, page_bytes);
  if (capacity > 0) return capacity;
  return Error{Code::kInvalidArgument,
               "capacity " + FormatSize(wanted) + " is less than one page of " +
                   FormatSize(page_bytes) + "; choose a larger --capacity"};
}

}  // namespace

Result<MemorySizes> ChooseSizes(const StoreOptions& options,
                                const MemoryLimit& limit, uint64_t page_bytes) {
  const Result<uint64_t> capacity = ChooseCapacity(options, limit, page_bytes);
  if (!capacity) return capacity.error();
  const uint64_t left = limit.bytes - *capacity;
  if (options.overshoot_bytes.value_or(0) > left) {
    return Error{Code::kTooLarge,
                 "overshoot " + FormatSize(*options.overshoot_bytes) +
                     " and capacity " + FormatSize(*capacity) +
                     " are together more than " + limit.source + ", which is " +
                     FormatSize(limit.bytes) +
                     "; choose a smaller --overshoot or --capacity"};
  }
  const uint64_t overshoot = options.overshoot_bytes.value_or(
      std::min(*capacity / kDefaultOvershootPart, left));
  return MemorySizes{*capacity, RoundDown(overshoot, page_bytes)};
}

}  // namespace vitrine::store
