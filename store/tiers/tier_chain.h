// Several tiers, of which each takes what those before it do not.
#ifndef VITRINE_STORE_TIERS_TIER_CHAIN_H_
#define VITRINE_STORE_TIERS_TIER_CHAIN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/tiers/tier.h"

namespace vitrine::store {

class TierChain : public Tier {
 public:
  using Tiers = std::vector<std::unique_ptr<Tier>>;
  // There is at least one.
  explicit TierChain(Tiers tiers) : tiers_(std::move(tiers)) {}

  // The failure of the last one, if all fail.
  Status Put(std::span<const Load> loads) override;
  Status Get(const ObjectInfo& object, std::span<std::byte> bytes) override;
  void Forget(uint64_t number) override;
  std::vector<uint64_t> identities() const override;
  // Of an object that several have, the first one's.
  Result<std::vector<Found>> TakeFound() override;
  uint64_t highest_number() const override;
  bool Has(uint64_t number) const override;
  // The first failure; the others end as well.
  Status End() override;
  std::vector<StatusSection> Sections() const override;

 private:
  const Tiers tiers_;
};

struct TierOptions {
  // In this order; see ExternalStore::Connect.
  std::vector<std::string> urls;
  // What each local one may take; 0: no limit.
  uint64_t limit_bytes = 0;
};
// Null: no URLs.  kInvalidArgument: no such external store, or one of
// them twice.
Result<std::shared_ptr<Tier>> OpenTier(const TierOptions& options);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_TIER_CHAIN_H_
