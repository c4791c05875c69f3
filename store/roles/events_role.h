// See StoreEvents.
#ifndef VITRINE_STORE_ROLES_EVENTS_ROLE_H_
#define VITRINE_STORE_ROLES_EVENTS_ROLE_H_

#include "store/base/roles.h"
#include "store/roles/store_parts.h"

namespace vitrine::store {

// `parts` must outlive it.
class EventsRole final : public StoreEvents {
 public:
  explicit EventsRole(StoreParts* parts) : parts_(parts) {}

  void AddObserver(Observer* observer) override;
  void RemoveObserver(Observer* observer) override;
  void AfterObservers(std::function<void()> done) override;
  ClientRegistry& clients() override { return parts_->clients; }
  Catalog* catalog() override { return parts_->catalog.get(); }

 private:
  StoreParts* const parts_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_EVENTS_ROLE_H_
