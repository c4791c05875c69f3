// Waits for an object to come into the index, without a message: a thread
// sleeps on the version of the object's bucket, and the store wakes it when the
// chain has changed (index_layout.h: Waiter).
#ifndef VITRINE_CLIENT_INDEX_INDEX_WAITS_H_
#define VITRINE_CLIENT_INDEX_INDEX_WAITS_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "client/base/deadline.h"
#include "client/base/spin_lock.h"
#include "client/index/index_reader.h"
#include "schema/client_page.h"

namespace vitrine {

// The waits of one session.  Thread-safe.  The index and the page must outlive
// it.  Must not be used in a forked child, as the page is the parent's.
class IndexWaits {
 public:
  IndexWaits(const IndexReader* index, ClientPage* page)
      : index_(index), page_(page) {}
  IndexWaits(const IndexWaits&) = delete;
  IndexWaits& operator=(const IndexWaits&) = delete;

  enum class Outcome : uint8_t {
    kLookAgain,  // The id may be there now.
    kTimeout,
    kEnded,  // End was called.
  };
  // Spins for up to `spin`, then sleeps.
  Outcome Await(std::string_view id, std::chrono::nanoseconds spin,
                Deadline deadline);
  // Ends all waits: the store is gone and wakes no thread any more.
  void End();

 private:
  class Announcement;

  Outcome Spin(std::string_view id, Deadline until) const;
  void Announce(uint32_t group);
  void Withdraw(uint32_t group);

  const IndexReader* const index_;
  ClientPage* const page_;
  std::atomic<uint32_t> ended_{0};  // A futex.

  SpinLock lock_;
  // Waits for a key of this group.
  std::array<uint32_t, kKeyGroups> waits_of_group_ GUARDED_BY(lock_) = {};
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_INDEX_INDEX_WAITS_H_
