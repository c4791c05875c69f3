// `fault://`: an external store in ordinary memory that can be told to fail,
// and whose values can be looked at and damaged.
#ifndef VITRINE_TESTS_STORE_TIERS_FAULT_STORE_H_
#define VITRINE_TESTS_STORE_TIERS_FAULT_STORE_H_

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/mutex.h"
#include "store/tiers/external_store.h"

namespace vitrine::store {

// There is one for the process.  Thread-safe.
class FaultStore {
 public:
  enum class Call : uint8_t { kConnect, kPut, kGet, kDelete, kList };
  // Called before the call is done, which its error ends.
  using Hook = std::function<Status(Call call, std::string_view name)>;

  static FaultStore& Get();

  void Reset() {
    MutexLock lock(mutex_);
    values_.clear();
    hook_ = {};
  }
  void OnCall(Hook hook) {
    MutexLock lock(mutex_);
    hook_ = std::move(hook);
  }
  // Fails the next `times` such calls.
  void FailNext(Call call, int times, Code code);
  Status Ask(Call call, std::string_view name) {
    Hook hook;
    {
      MutexLock lock(mutex_);
      hook = hook_;
    }
    return hook ? hook(call, name) : Status();
  }

  std::map<std::string, std::string> values() const {
    MutexLock lock(mutex_);
    return values_;
  }
  // How many there are that have objects.
  size_t count() const {
    const auto all = values();
    return static_cast<size_t>(std::count_if(
        all.begin(), all.end(),
        [](const auto& value) { return value.first.starts_with("spill-"); }));
  }
  void Set(std::string_view name, std::string value) {
    MutexLock lock(mutex_);
    values_[std::string(name)] = std::move(value);
  }
  void Erase(std::string_view name) {
    MutexLock lock(mutex_);
    values_.erase(std::string(name));
  }
  // Changes the last byte of a value.
  void Damage(std::string_view name) {
    MutexLock lock(mutex_);
    values_.at(std::string(name)).back() ^= 1;
  }
  Status Read(std::string_view name, uint64_t offset_bytes,
              std::span<std::byte> bytes) const {
    MutexLock lock(mutex_);
    const auto found = values_.find(std::string(name));
    if (found == values_.end()) return Error{Code::kNotFound, "no value"};
    const std::string& value = found->second;
    if (offset_bytes + bytes.size() > value.size()) {
      return Error{Code::kCorruption, "the value ends before"};
    }
    std::copy_n(reinterpret_cast<const std::byte*>(value.data()) + offset_bytes,
                bytes.size(), bytes.begin());
    return Status();
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::string> values_ GUARDED_BY(mutex_);
  Hook hook_ GUARDED_BY(mutex_);
};

class FaultHandle : public ExternalStoreHandle {
 public:
  using Call = FaultStore::Call;
  Status Put(std::string_view name, std::span<const Part> parts) override {
    Status ok = store_.Ask(Call::kPut, name);
    if (!ok) return ok;
    std::string value;
    for (const Part& part : parts) {
      value.append(reinterpret_cast<const char*>(part.data()), part.size());
    }
    store_.Set(name, std::move(value));
    return ok;
  }
  Status Get(std::string_view name, uint64_t offset_bytes,
             std::span<std::byte> bytes) override {
    Status ok = store_.Ask(Call::kGet, name);
    return ok ? store_.Read(name, offset_bytes, bytes) : ok;
  }
  Status Delete(std::span<const std::string> names) override {
    for (const std::string& name : names) {
      if (Status ok = store_.Ask(Call::kDelete, name); !ok) return ok;
      store_.Erase(name);
    }
    return Status();
  }
  Status List(const Visitor& visit) override {
    Status ok = store_.Ask(Call::kList, "");
    if (!ok) return ok;
    for (const auto& [name, value] : store_.values()) visit(name, value.size());
    return ok;
  }

 private:
  FaultStore& store_ = FaultStore::Get();
};

inline FaultStore& FaultStore::Get() {
  static FaultStore store;
  static const ExternalStore::Scheme kScheme(
      "fault",
      [](std::string_view url) -> Result<std::unique_ptr<ExternalStoreHandle>> {
        if (Status ok = Get().Ask(Call::kConnect, url); !ok) return ok.error();
        return std::unique_ptr<ExternalStoreHandle>(
            std::make_unique<FaultHandle>());
      });
  return store;
}

inline void FaultStore::FailNext(Call call, int times, Code code) {
  OnCall([call, code, left = std::make_shared<std::atomic<int>>(times)](
             Call called, std::string_view /*name*/) -> Status {
    if (called != call || left->fetch_sub(1) <= 0) return {};
    return Error{code, "told to fail"};
  });
}

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_TIERS_FAULT_STORE_H_
