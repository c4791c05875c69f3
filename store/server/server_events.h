#ifndef VITRINE_STORE_SERVER_SERVER_EVENTS_H_
#define VITRINE_STORE_SERVER_SERVER_EVENTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "schema/base/mutex.h"
#include "store/base/observer.h"

namespace vitrine::store::server {

// Events of the store on their way to the server's loop.  Bounded: if the loop
// falls behind, further events are only counted, and the loop reads the store's
// state instead.  Thread-safe; Push calls no other code.
class EventQueue {
 public:
  static constexpr size_t kMostQueued = 8 * 1024;

  // True: it is the first event since Take; the caller has to have Take called.
  bool Push(const ObjectEvent& event) EXCLUDES(mutex_);

  struct Taken {
    std::vector<ObjectEvent> events;
    uint64_t lost;  // Number of dropped events after `events`.
  };
  Taken Take() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::vector<ObjectEvent> queued_ GUARDED_BY(mutex_);
  uint64_t lost_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_EVENTS_H_
