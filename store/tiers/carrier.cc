#include "store/tiers/carrier.h"

#include <sys/mman.h>

#include <vector>

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
  std::vector<Tier::Load> loads;
  for (const auto& [info, metadata] : victim.contents) {
    if (info.copied) continue;
    if (info.offset_bytes > extent->size_bytes ||
        info.size_bytes > extent->size_bytes - info.offset_bytes) {
      return Error{Code::kCorruption, "an object beyond the end of its slab"};
    }
    loads.push_back({info,
                     metadata,
                     {memory->data() + info.offset_bytes, info.size_bytes}});
  }
  return loads.empty() ? Status() : tier->Put(loads);
}

}  // namespace

Status CarryTo(Tier* tier, Eviction::Departure* departure) {
  for (Eviction::Victim& victim : departure->victims) {
    const Status carried = CarryObjects(tier, victim);
    victim.carried = carried.has_value();
    if (!victim.carried) return carried;
  }
  return Status();
}

}  // namespace vitrine::store
