// Events of objects, and their observers.
#ifndef VITRINE_STORE_BASE_OBSERVER_H_
#define VITRINE_STORE_BASE_OBSERVER_H_

#include <functional>

#include "store/base/object.h"

namespace vitrine::store {

enum class ObjectEventKind : uint8_t {
  kCreated,
  kSealed,
  kAborted,  // An unsealed object went: abort, or its creator died.
  kDeleted,
  kEvicted,
  kHoldChanged,
  kMoved,    // Its bytes are somewhere else than before; for the catalog.
  kRenamed,  // An unsealed object has a new id; `old_id` is the one before.
};

struct ObjectEvent {
  ObjectEventKind kind;
  ObjectInfo info;  // As it is after the event; kSealed: with the sealed id.
  ObjectId old_id;  // kSealed, kRenamed: the unsealed id; else info.id.
};

// OnEvent is called in the order of the events, with the object table locked.
// It must not wait, and must not call the store: it puts the event on a queue.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnEvent(const ObjectEvent& event) = 0;

  // Runs `done`, on any thread, once all earlier events have taken effect (for
  // the mount: the kernel has forgotten the names).
  virtual void AfterPending(std::function<void()> done) { done(); }
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_OBSERVER_H_
