// Carries the bytes of victims to a tier: the second step of an eviction.
#ifndef VITRINE_STORE_TIERS_CARRIER_H_
#define VITRINE_STORE_TIERS_CARRIER_H_

#include "store/table/eviction.h"
#include "store/tiers/tier.h"

namespace vitrine::store {

// Puts every object of the victims into `tier` and notes which victims were
// carried.  Ends with the first failure, which it returns; of that victim the
// tier keeps nothing.
Status CarryTo(Tier* tier, Eviction::Departure* departure);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_CARRIER_H_
