#include "store/tiers/carrier.h"

#include <sys/mman.h>

#include "schema/base/mapping.h"

namespace vitrine::store {
namespace {

// The objects are somewhere in the segment, which is mapped as a whole: what is
// not read takes no memory.
Status CarryObjects(Tier* tier, const Eviction::Victim& victim) {
  auto extent = victim.file->Stat();
  if (!extent) return extent.error();
  auto memory = Mapping::Map(victim.file->fd(), extent->size_bytes, PROT_READ);
  if (!memory) return memory.error();
  for (const ObjectInfo& info : victim.infos) {
    if (info.copied) continue;
    if (info.offset_bytes > extent->size_bytes ||
        info.size_bytes > extent->size_bytes - info.offset_bytes) {
      return Error{Code::kCorruption, "an object beyond the end of its slab"};
    }
    const Status put =
        tier->Put(info, {memory->data() + info.offset_bytes, info.size_bytes});
    if (!put) return put;
  }
  return Status();
}

}  // namespace

Status CarryTo(Tier* tier, Eviction::Departure* departure) {
  for (Eviction::Victim& victim : departure->victims) {
    const Status carried = CarryObjects(tier, victim);
    victim.carried = carried.has_value();
    if (victim.carried) continue;
    for (const ObjectInfo& info : victim.infos) {
      if (!info.copied) tier->Forget(info.number);
    }
    return carried;
  }
  return Status();
}

}  // namespace vitrine::store
