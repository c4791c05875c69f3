// One stripe of a session: the pins, touches and segments of the threads that
// share it.
//
// A client has kPageStripes stripes.  Each thread uses one, so threads do not
// wait for each other as long as there are no more threads than stripes.  A
// stripe's lock guards the stripe of the current session, and the stripes of
// former sessions that still have objects in hand.
//
// Invariants:
//  (1) A pin's number is in `free_pins_`, or held by exactly one object, or
//      not below `pins_high_water_`.
//  (2) A LocalSegment with references is mapped.
//  (3) Only the lock's holder writes the stripe's part of the client's page.
#ifndef VITRINE_CLIENT_INDEX_SESSION_STRIPE_H_
#define VITRINE_CLIENT_INDEX_SESSION_STRIPE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "client/base/spin_lock.h"
#include "client/index/segment_table.h"
#include "schema/client_page.h"

namespace vitrine {

class Session;

// A stripe of the client: its lock, and which session is the current one.
struct alignas(64) ClientStripe {
  SpinLock lock;
  Session* session GUARDED_BY(lock) = nullptr;  // Null: not connected.
};

using ClientStripes = std::array<ClientStripe, kPageStripes>;

// The number of the stripe that this thread uses.
size_t MyStripe();

// All methods want the ClientStripe's lock.
class SessionStripe {
 public:
  static constexpr int kNoPin = -1;

  SessionStripe(ClientStripe* owner, PageStripe* page)
      : owner_(owner), page_(page) {}
  SessionStripe(const SessionStripe&) = delete;
  SessionStripe& operator=(const SessionStripe&) = delete;

  SpinLock& lock() const VITRINE_TSA(lock_returned(owner_->lock)) {
    return owner_->lock;
  }
  // Tells the compiler that the caller has locked it under another name.
  void AssertLocked() const VITRINE_TSA(assert_capability(owner_->lock)) {}

  // Pins the slot.  Returns the pin's number, or kNoPin: all are taken.  The
  // pin holds if the index has not changed afterwards (reader's step 4).
  int Pin(uint32_t slot, uint64_t generation) REQUIRES(owner_->lock);
  void Unpin(int pin) REQUIRES(owner_->lock);
  void Touch(uint32_t slot) REQUIRES(owner_->lock);

  SegmentTable& segments() REQUIRES(owner_->lock) { return segments_; }

  // In a forked child: the page is the parent's.
  void ForgetPage() REQUIRES(owner_->lock) { page_ = nullptr; }

  // Number of objects in hand that were got through this stripe.  They keep the
  // session alive.
  uint32_t in_hand GUARDED_BY(owner_->lock) = 0;
  // The session, until it is retired and no object is in hand.
  std::shared_ptr<Session> keep_alive GUARDED_BY(owner_->lock);
  // The session is no longer the client's current one, or this is a child.
  bool retired GUARDED_BY(owner_->lock) = false;

 private:
  ClientStripe* const owner_;

  PageStripe* page_ GUARDED_BY(owner_->lock);
  uint32_t pins_high_water_ GUARDED_BY(owner_->lock) = 0;
  uint32_t touch_count_ GUARDED_BY(owner_->lock) = 0;
  std::vector<uint16_t> free_pins_ GUARDED_BY(owner_->lock);
  SegmentTable segments_ GUARDED_BY(owner_->lock);
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_INDEX_SESSION_STRIPE_H_
