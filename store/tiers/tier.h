// A tier: a place outside of memory that keeps the bytes of sealed objects
// when memory runs short.
#ifndef VITRINE_STORE_TIERS_TIER_H_
#define VITRINE_STORE_TIERS_TIER_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "store/base/metadata.h"
#include "store/base/object.h"
#include "store/metrics/status_section.h"

namespace vitrine::store {

// Thread-safe: several objects may come and go at once.  Objects are known by
// ObjectInfo::number, which is never used twice.
class Tier {
 public:
  virtual ~Tier() = default;

  // An object with its bytes.
  struct Load {
    ObjectInfo info;
    MetadataRef metadata;
    std::span<const std::byte> bytes;
  };
  // Keeps all of the loads, or none of them.  When it returns OK they outlive
  // the store and, as far as the tier promises, the host.  Putting an object
  // again is no error.
  virtual Status Put(std::span<const Load> loads) = 0;
  // Fills `bytes` with all of the object's.  kNotFound: the tier has none.
  // kCorruption: what it has is not what was put.
  virtual Status Get(const ObjectInfo& object, std::span<std::byte> bytes) = 0;
  // The bytes are not needed any more.  Unknown ones are ignored.  Returns
  // before the tier has done it.
  virtual void Forget(uint64_t number) = 0;

  // Of each external store that it consists of: a random number that was drawn
  // when that was begun, so that a journal can say which stores it knows. None:
  // nothing in it outlives this process.
  virtual std::vector<uint64_t> identities() const { return {}; }
  // An object that an earlier store has put, as it was then.
  struct Found {
    ObjectInfo info;
    MetadataRef metadata;
    uint64_t identity = 0;  // Of the external store that has it.
  };
  // What an earlier store left, each number once; those that are not wanted are
  // to be forgotten.  Called once, before anything else.
  virtual Result<std::vector<Found>> TakeFound() {
    return std::vector<Found>();
  }

  // The greatest number of an object that it has or had; 0: none.
  virtual uint64_t highest_number() const { return 0; }
  // True: it has a copy that is not known to be damaged.
  virtual bool Has(uint64_t number) const = 0;
  // Carries out what Forget has put off.  Called once, last.
  virtual Status End() { return Status(); }

  // For `status`: one for each external store.
  virtual std::vector<StatusSection> Sections() const { return {}; }
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_TIER_H_
