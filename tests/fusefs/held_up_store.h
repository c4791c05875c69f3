// A store that hands everything on to another one, but keeps reservations of
// memory waiting until it is told to let them go.
#ifndef VITRINE_TESTS_FUSEFS_HELD_UP_STORE_H_
#define VITRINE_TESTS_FUSEFS_HELD_UP_STORE_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "fusefs/base/store_names.h"
#include "schema/base/mutex.h"
#include "tests/support/store_double.h"

namespace vitrine::fusefs {

class HeldUpStore : public store::StoreDouble, public store::MemoryRequests {
 public:
  explicit HeldUpStore(Store* store)
      : StoreDouble(store), memory_(&store->memory()) {}

  MemoryRequests& memory() override { return *this; }

  // From now on Reserve and Resize wait.
  void HoldUp() {
    MutexLock lock(mutex_);
    holding_ = true;
  }
  size_t waiting() {
    MutexLock lock(mutex_);
    return waiting_.size();
  }
  // Lets those that wait go on, and later ones at once.
  void LetGo() {
    std::vector<std::function<void()>> going;
    {
      MutexLock lock(mutex_);
      holding_ = false;
      going.swap(waiting_);
    }
    for (auto& go : going) go();
  }

  void Reserve(const ObjectRef& object, uint64_t offset_bytes,
               uint64_t size_bytes, SpaceWait wait, Done<void> done) override {
    Pass([this, object, offset_bytes, size_bytes, wait, done] {
      memory_->Reserve(object, offset_bytes, size_bytes, wait, done);
    });
  }
  void Resize(const ObjectRef& object, uint64_t size_bytes, SpaceWait wait,
              Done<void> done) override {
    Pass([this, object, size_bytes, wait, done] {
      memory_->Resize(object, size_bytes, wait, done);
    });
  }

  void CreateSized(const ObjectId& id, uint64_t size_bytes,
                   const NewObject& options, SpaceWait wait,
                   Done<ObjectRef> done) override {
    memory_->CreateSized(id, size_bytes, options, wait, std::move(done));
  }
  Result<std::shared_ptr<const void>> ShareWithClient(
      const Payer& payer, uint64_t bytes,
      store::ClientMemoryNeed need) override {
    return memory_->ShareWithClient(payer, bytes, need);
  }

 private:
  void Pass(std::function<void()> go) {
    {
      MutexLock lock(mutex_);
      if (holding_) {
        waiting_.push_back(std::move(go));
        return;
      }
    }
    go();
  }

  store::MemoryRequests* const memory_;
  Mutex mutex_;
  bool holding_ GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> waiting_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_TESTS_FUSEFS_HELD_UP_STORE_H_
