// Who goes next.
#ifndef VITRINE_STORE_EVICTION_POLICY_H_
#define VITRINE_STORE_EVICTION_POLICY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace vitrine {

// Orders the objects that may be evicted, by number.  Every operation takes
// constant time.  Not thread-safe: the object table's lock guards it.
class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  // `number` may be evicted from now on; it counts as just used.
  virtual void Add(uint64_t number) = 0;
  // `number` may no longer be evicted.  Unknown numbers are ignored.
  virtual void Remove(uint64_t number) = 0;
  // `number` was used.  Unknown numbers are ignored.
  virtual void Touch(uint64_t number) = 0;
  // Calls `visit` with numbers, the next victim first, until it says false.
  // `visit` must not change the policy.
  virtual void Visit(const std::function<bool(uint64_t number)>& visit) = 0;
  virtual size_t size() const = 0;
  virtual const char* name() const = 0;
};

// Least recently used first.
std::unique_ptr<EvictionPolicy> MakeLruPolicy();

}  // namespace vitrine

#endif  // VITRINE_STORE_EVICTION_POLICY_H_
