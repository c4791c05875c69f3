// A tier in ordinary memory that can be told to fail, and to stop in the middle
// of its work.
#ifndef VITRINE_TESTS_STORE_TIERS_FAKE_TIER_H_
#define VITRINE_TESTS_STORE_TIERS_FAKE_TIER_H_

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/mutex.h"
#include "store/tiers/tier.h"

namespace vitrine::store {

class FakeTier : public Tier {
 public:
  // With an identity it outlives its store: give it to the next one.
  explicit FakeTier(uint64_t identity = 0) : identity_(identity) {}
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
      const auto* bytes = reinterpret_cast<const char*>(load.bytes.data());
      kept_.insert_or_assign(load.info.number,
                             Kept{{load.info, load.metadata, identity_},
                                  std::string(bytes, load.bytes.size())});
    }
    return Status();
  }

  Status Get(const ObjectInfo& object, std::span<std::byte> bytes) override {
    if (Status ok = Call(on_get_, object); !ok) return ok;
    MutexLock lock(mutex_);
    ++gets_;
    const auto kept = kept_.find(object.number);
    if (kept == kept_.end() || kept->second.bytes.size() != bytes.size()) {
      return Error{Code::kNotFound, "not in the tier"};
    }
    std::memcpy(bytes.data(), kept->second.bytes.data(), bytes.size());
    return Status();
  }

  void Forget(uint64_t number) override {
    MutexLock lock(mutex_);
    kept_.erase(number);
  }

  bool Has(uint64_t number) const override {
    MutexLock lock(mutex_);
    return kept_.contains(number);
  }
  std::vector<uint64_t> identities() const override {
    return identity_ == 0 ? std::vector<uint64_t>()
                          : std::vector<uint64_t>{identity_};
  }
  Result<std::vector<Found>> TakeFound() override {
    std::vector<Found> found;
    if (identity_ == 0) return found;
    MutexLock lock(mutex_);
    for (const auto& [number, kept] : kept_) found.push_back(kept.found);
    return found;
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
  struct Kept {
    Found found;
    std::string bytes;
  };

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

  const uint64_t identity_;
  mutable Mutex mutex_;
  Hook on_put_;  // Guarded by the mutex, as the next.
  Hook on_get_;
  std::map<uint64_t, Kept> kept_ GUARDED_BY(mutex_);
  int puts_ GUARDED_BY(mutex_) = 0;
  int gets_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_TIERS_FAKE_TIER_H_
