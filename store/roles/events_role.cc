#include "store/roles/events_role.h"

#include <functional>
#include <utility>

namespace vitrine::store {

void EventsRole::AddObserver(Observer* observer) {
  parts_->table->upkeep().AddObserver(observer);
}

void EventsRole::RemoveObserver(Observer* observer) {
  parts_->table->upkeep().RemoveObserver(observer);
}

void EventsRole::AfterObservers(std::function<void()> done) {
  std::function<void()> next = std::move(done);
  for (Observer* observer : parts_->table->upkeep().Observers()) {
    // The catalog is written asynchronously; no caller waits for it.
    if (observer == parts_->catalog.get()) continue;
    next = [observer, then = std::move(next)] { observer->AfterPending(then); };
  }
  next();
}

}  // namespace vitrine::store
