#include "store/table/reckoning.h"

namespace vitrine::store {

Amounts ChargeOf(const ObjectRecord& object) {
  Amounts amounts = {};
  if (object.state == ObjectState::kGone) return amounts;
  AmountOf(amounts, Resource::kMemory) = object.cost_bytes();
  if (object.state == ObjectState::kBlank) return amounts;
  const bool sealed = object.state == ObjectState::kSealed;
  AmountOf(amounts, Resource::kObjects) = 1;
  AmountOf(amounts, Resource::kUnsealed) = sealed ? 0 : 1;
  AmountOf(amounts, Resource::kHolds) = sealed && object.hold ? 1 : 0;
  return amounts;
}

}  // namespace vitrine::store
