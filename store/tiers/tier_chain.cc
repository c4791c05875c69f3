#include "store/tiers/tier_chain.h"

#include <unordered_set>

#include "store/tiers/spill_tier.h"

namespace vitrine::store {
namespace {

// Of the others, whoever pays for them sets the limit.
bool IsLocal(const std::string& url) { return url.starts_with("file://"); }

Result<std::unique_ptr<Tier>> OpenOne(const std::string& url,
                                      uint64_t limit_bytes) {
  auto tier = SpillTier::Open(
      {.url = url, .spill_limit_bytes = IsLocal(url) ? limit_bytes : 0});
  if (!tier) return tier.error();
  return std::unique_ptr<Tier>(*std::move(tier));
}

}  // namespace

Result<std::shared_ptr<Tier>> OpenTier(const TierOptions& options) {
  if (options.urls.empty()) return std::shared_ptr<Tier>();
  TierChain::Tiers tiers;
  for (const std::string& url : options.urls) {
    auto tier = OpenOne(url, options.limit_bytes);
    if (!tier) return tier.error();
    tiers.push_back(*std::move(tier));
  }
  return std::shared_ptr<Tier>(std::make_shared<TierChain>(std::move(tiers)));
}

Status TierChain::Put(std::span<const Load> loads) {
  Status put;
  for (const auto& tier : tiers_) {
    put = tier->Put(loads);
    if (put) break;
  }
  return put;
}

Status TierChain::Get(const ObjectInfo& object, std::span<std::byte> bytes) {
  Status failed;
  for (const auto& tier : tiers_) {
    Status got = tier->Get(object, bytes);
    if (got) return got;
    // That one has no copy says less than why another cannot be read.
    if (failed || failed.error().code == Code::kNotFound) failed = got;
  }
  return failed;
}

void TierChain::Forget(uint64_t number) {
  for (const auto& tier : tiers_) tier->Forget(number);
}

std::vector<uint64_t> TierChain::identities() const {
  std::vector<uint64_t> all;
  for (const auto& tier : tiers_) {
    const auto some = tier->identities();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

Result<std::vector<Tier::Found>> TierChain::TakeFound() {
  std::vector<Found> all;
  std::unordered_set<uint64_t> numbers;
  for (const auto& tier : tiers_) {
    auto some = tier->TakeFound();
    if (!some) return some.error();
    for (Found& found : *some) {
      if (numbers.insert(found.info.number).second) {
        all.push_back(std::move(found));
      }
    }
  }
  return all;
}

std::vector<StatusSection> TierChain::Sections() const {
  std::vector<StatusSection> all;
  for (const auto& tier : tiers_) {
    for (StatusSection& section : tier->Sections()) {
      all.push_back(std::move(section));
    }
  }
  return all;
}

}  // namespace vitrine::store
