#include "store/keepers/pressure_gauge.h"

#include <algorithm>

#include "schema/base/saturating.h"

namespace vitrine::store {
namespace {

using machine::MemoryRoom;
using std::chrono::milliseconds;

constexpr uint64_t kReservePart = 8;
constexpr uint64_t kLeastReserveBytes = uint64_t{32} << 20;
constexpr uint64_t kMostReserveBytes = uint64_t{512} << 20;
constexpr uint64_t kLeastLimitPart = 64;
constexpr std::chrono::seconds kCalm(2);

// Two processors fill new huge pages at about this speed.
constexpr uint64_t kBytesPerMs = (uint64_t{4} << 30) / 1000;
constexpr milliseconds kShortestLook(5);
constexpr milliseconds kLongestLook(2000);

uint64_t ReserveOf(const MemoryRoom& room) {
  const uint64_t reserve = std::clamp(room.limit_bytes / kReservePart,
                                      kLeastReserveBytes, kMostReserveBytes);
  return std::min(reserve, room.limit_bytes / 2);
}

// The charge that leaves the reserve.  An eviction frees no more than the
// shared memory there is; it could do nothing about the rest.
uint64_t ChargeFor(const MemoryRoom& room, uint64_t charged_bytes) {
  const uint64_t reserve = ReserveOf(room);
  if (room.room_bytes >= reserve) {
    return SaturatingAdd(charged_bytes, room.room_bytes - reserve);
  }
  const uint64_t lacking = reserve - room.room_bytes;
  return charged_bytes - std::min({lacking, room.shared_bytes, charged_bytes});
}

}  // namespace

uint64_t PressureGauge::Measure(const std::vector<MemoryRoom>& rooms,
                                uint64_t charged_bytes, Clock::time_point now) {
  uint64_t allowed = UINT64_MAX;
  tightest_.reset();
  for (const MemoryRoom& room : rooms) {
    const uint64_t charge = ChargeFor(room, charged_bytes);
    if (tightest_ && charge >= allowed) continue;
    allowed = charge;
    tightest_ = Tightest{room, ReserveOf(room)};
  }
  if (allowed < limit_bytes_) {
    limit_bytes_ = std::max(allowed, capacity_bytes_ / kLeastLimitPart);
    fell_ = now;
    return limit_bytes_;
  }
  const uint64_t margin = tightest_ ? tightest_->reserve_bytes / 2 : 0;
  if (is_short() && now >= fell_ + kCalm &&
      allowed > SaturatingAdd(limit_bytes_, margin)) {
    limit_bytes_ = std::min(allowed - margin, capacity_bytes_);
  }
  return limit_bytes_;
}

milliseconds PressureGauge::NextPause() const {
  if (!tightest_) return kLongestLook;
  const uint64_t ms = tightest_->room.room_bytes / kBytesPerMs;
  return std::clamp(milliseconds(static_cast<int64_t>(ms)), kShortestLook,
                    kLongestLook);
}

}  // namespace vitrine::store
