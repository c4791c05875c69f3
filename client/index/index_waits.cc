#include "client/index/index_waits.h"

#include <algorithm>

#include "schema/base/futex.h"

namespace vitrine {
namespace {

constexpr int kSpinsPerLook = 16;

}  // namespace

// While it lives, the store wakes threads that wait for a key of the group.
class IndexWaits::Announcement {
 public:
  Announcement(IndexWaits* waits, uint32_t group)
      : waits_(waits), group_(group) {
    waits_->Announce(group_);
  }
  Announcement(const Announcement&) = delete;
  Announcement& operator=(const Announcement&) = delete;
  ~Announcement() { waits_->Withdraw(group_); }

 private:
  IndexWaits* const waits_;
  const uint32_t group_;
};

IndexWaits::Outcome IndexWaits::Await(std::string_view id,
                                      std::chrono::nanoseconds spin,
                                      Deadline deadline) {
  if (spin.count() > 0) {
    const Outcome spun = Spin(id, std::min(deadline, Clock::now() + spin));
    if (spun != Outcome::kTimeout) return spun;
  }
  const Announcement announced(this, index_->GroupOf(id));
  IndexReader::Entry entry;
  while (index_->Find(id, &entry) == IndexReader::Outcome::kAbsent) {
    if (ended_.load(std::memory_order_acquire) != 0) return Outcome::kEnded;
    if (Clock::now() >= deadline) return Outcome::kTimeout;
    SleepOnFutexes({&index_->VersionOf(entry.bucket), entry.bucket_version},
                   {&ended_, 0}, deadline);
  }
  return Outcome::kLookAgain;
}

IndexWaits::Outcome IndexWaits::Spin(std::string_view id,
                                     Deadline until) const {
  IndexReader::Entry entry;
  while (index_->Find(id, &entry) == IndexReader::Outcome::kAbsent) {
    const std::atomic<uint32_t>& version = index_->VersionOf(entry.bucket);
    for (int spins = 1;
         version.load(std::memory_order_acquire) == entry.bucket_version;
         ++spins) {
      if (spins % kSpinsPerLook == 0) {
        if (ended_.load(std::memory_order_acquire) != 0) return Outcome::kEnded;
        if (Clock::now() >= until) return Outcome::kTimeout;
      }
      SpinOnce();
    }
  }
  return Outcome::kLookAgain;
}

void IndexWaits::End() {
  ended_.store(1, std::memory_order_seq_cst);
  WakeFutex(&ended_);
}

void IndexWaits::Announce(uint32_t group) {
  {
    SpinLockHolder lock(lock_);
    page_->waiters.fetch_add(1, std::memory_order_relaxed);
    if (waits_of_group_[group % kKeyGroups]++ == 0) {
      page_->awaited_groups.fetch_or(AwaitedBit(group),
                                     std::memory_order_seq_cst);
    }
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void IndexWaits::Withdraw(uint32_t group) {
  SpinLockHolder lock(lock_);
  page_->waiters.fetch_sub(1, std::memory_order_relaxed);
  if (--waits_of_group_[group % kKeyGroups] == 0) {
    page_->awaited_groups.fetch_and(~AwaitedBit(group),
                                    std::memory_order_relaxed);
  }
}

}  // namespace vitrine
