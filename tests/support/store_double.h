// A store that hands every role on to another one.  A test replaces the roles
// whose behaviour it changes.
#ifndef VITRINE_TESTS_SUPPORT_STORE_DOUBLE_H_
#define VITRINE_TESTS_SUPPORT_STORE_DOUBLE_H_

#include "store/store.h"

namespace vitrine::store {

class StoreDouble : public Store {
 public:
  // `store` must outlive it.
  explicit StoreDouble(Store* store) : store_(store) {}

  void AbandonStart() override { store_->AbandonStart(); }
  MemoryRequests& memory() override { return store_->memory(); }
  UnsealedObjects& unsealed() override { return store_->unsealed(); }
  BlankSegments& blanks() override { return store_->blanks(); }
  SmallPuts& small() override { return store_->small(); }
  SealedObjects& sealed() override { return store_->sealed(); }
  ObjectViews& objects() override { return store_->objects(); }
  StoreFacts& facts() override { return store_->facts(); }
  StoreEvents& events() override { return store_->events(); }

 private:
  Store* const store_;
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_SUPPORT_STORE_DOUBLE_H_
