// A tier in ordinary memory that can be told to fail, and to stop in the middle
// of its work.
#ifndef VITRINE_TESTS_STORE_TIERS_FAKE_TIER_H_
#define VITRINE_TESTS_STORE_TIERS_FAKE_TIER_H_

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "schema/base/mutex.h"
#include "store/tiers/tier.h"

namespace vitrine::store {

class FakeTier : public Tier {
 public:
  // Called with the object before its bytes are stored, or given.
  using Hook = std::function<Status(const ObjectInfo& object)>;
  void OnPut(Hook hook) { Set(&on_put_, std::move(hook)); }
  void OnGet(Hook hook) { Set(&on_get_, std::move(hook)); }

  Status Put(std::span<const Load> loads) override {
    for (const Load& load : loads) {
      if (Status ok = Call(on_put_, load.info); !ok) return ok;
    }
    MutexLock lock(mutex_);
    for (const Load& load : loads) {
      ++puts_;
      kept_[load.info.number] = std::string(
          reinterpret_cast<const char*>(load.bytes.data()), load.bytes.size());
    }
    return Status();
  }

  Status Get(const ObjectInfo& object, std::span<std::byte> bytes) override {
    if (Status ok = Call(on_get_, object); !ok) return ok;
    MutexLock lock(mutex_);
    ++gets_;
    const auto kept = kept_.find(object.number);
    if (kept == kept_.end() || kept->second.size() != bytes.size()) {
      return Error{Code::kNotFound, "not in the tier"};
    }
    std::copy_n(reinterpret_cast<const std::byte*>(kept->second.data()),
                bytes.size(), bytes.begin());
    return Status();
  }

  void Forget(uint64_t number) override {
    MutexLock lock(mutex_);
    kept_.erase(number);
  }

  size_t kept() const {
    MutexLock lock(mutex_);
    return kept_.size();
  }
  int puts() const {
    MutexLock lock(mutex_);
    return puts_;
  }
  int gets() const {
    MutexLock lock(mutex_);
    return gets_;
  }

 private:
  void Set(Hook* hook, Hook value) {
    MutexLock lock(mutex_);
    *hook = std::move(value);
  }
  Status Call(const Hook& hook, const ObjectInfo& object) {
    Hook copy;
    {
      MutexLock lock(mutex_);
      copy = hook;
    }
    return copy ? copy(object) : Status();
  }

  mutable Mutex mutex_;
  Hook on_put_;  // Guarded by the mutex, as the next.
  Hook on_get_;
  std::map<uint64_t, std::string> kept_ GUARDED_BY(mutex_);
  int puts_ GUARDED_BY(mutex_) = 0;
  int gets_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_TIERS_FAKE_TIER_H_
