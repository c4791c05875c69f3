// A tier: a place outside of memory that keeps the bytes of sealed objects
// when memory runs short.
#ifndef VITRINE_STORE_TIERS_TIER_H_
#define VITRINE_STORE_TIERS_TIER_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "store/base/object.h"

namespace vitrine::store {

// Thread-safe: several objects may come and go at once.  Objects are known by
// ObjectInfo::number, which is never used twice.
//
// A tier is made for one store and ends with it: the journal does not say yet
// what is elsewhere, so that a store that is killed loses it.  A tier that
// outlives its store needs those records first.
class Tier {
 public:
  virtual ~Tier() = default;

  // Keeps `bytes`, all of the object's, of which the store has no other copy
  // once it returns.  After an error it may have some of them.  Putting an
  // object again is no error.
  virtual Status Put(const ObjectInfo& object,
                     std::span<const std::byte> bytes) = 0;
  // Fills `bytes` with all of the object's.  kNotFound: the tier has none.
  virtual Status Get(const ObjectInfo& object, std::span<std::byte> bytes) = 0;
  // The object's bytes are not needed any more.  One that is unknown is
  // ignored.
  virtual void Forget(uint64_t number) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_TIER_H_
