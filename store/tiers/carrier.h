// Carries the bytes of victims to a tier: the second step of an eviction.
#ifndef VITRINE_STORE_TIERS_CARRIER_H_
#define VITRINE_STORE_TIERS_CARRIER_H_

#include "store/table/eviction.h"
#include "store/tiers/crew.h"
#include "store/tiers/tier.h"

namespace vitrine::store {

// Owns a few threads.  One Carry at a time.  The tier must outlive it.
class Carrier {
 public:
  explicit Carrier(Tier* tier);

  // Puts the objects of all victims into the tier, on several threads, of which
  // the caller's is one: large victims singly, small ones together, 256 MiB at
  // once.  Notes which victims were carried.  When the tier has failed, no more
  // are tried.  Returns the first failure.
  Status Carry(Eviction::Departure* departure);

 private:
  Tier* const tier_;
  Crew crew_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_CARRIER_H_
