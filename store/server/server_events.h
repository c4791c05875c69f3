#ifndef VITRINE_STORE_SERVER_SERVER_EVENTS_H_
#define VITRINE_STORE_SERVER_SERVER_EVENTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "schema/base/mutex.h"
#include "store/base/observer.h"

namespace vitrine::store::server {

// What happened in the store, on its way to the server's loop.  Bounded: of a
// loop that falls behind, only the number of what it missed is kept, and it
// looks at the store instead.  Thread-safe; Push calls nobody.
class EventQueue {
 public:
  static constexpr size_t kMostQueued = 8 * 1024;

  // True: it is the first since Take, which the caller is to have called soon.
  bool Push(const ObjectEvent& event) EXCLUDES(mutex_);

  struct Taken {
    std::vector<ObjectEvent> events;
    uint64_t lost;  // Happened after those, and before Take.
  };
  Taken Take() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::vector<ObjectEvent> queued_ GUARDED_BY(mutex_);
  uint64_t lost_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_EVENTS_H_
