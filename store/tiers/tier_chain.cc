#include "store/tiers/tier_chain.h"

#include <algorithm>
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

template <typename T>
bool HasTwins(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return std::adjacent_find(values.begin(), values.end()) != values.end();
}

}  // namespace

Result<std::shared_ptr<Tier>> OpenTier(const TierOptions& options) {
  if (options.urls.empty()) return std::shared_ptr<Tier>();
  if (HasTwins(options.urls)) {
    return Error{Code::kInvalidArgument, "an external store is given twice"};
  }
  TierChain::Tiers tiers;
  for (const std::string& url : options.urls) {
    auto tier = OpenOne(url, options.limit_bytes);
    if (!tier) return tier.error();
    tiers.push_back(*std::move(tier));
  }
  auto chain = std::make_shared<TierChain>(std::move(tiers));
  if (HasTwins(chain->identities())) {
    return Error{Code::kInvalidArgument,
                 "two of the external stores are one, or a copy of it"};
  }
  return std::shared_ptr<Tier>(std::move(chain));
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

uint64_t TierChain::highest_number() const {
  uint64_t highest = 0;
  for (const auto& tier : tiers_) {
    highest = std::max(highest, tier->highest_number());
  }
  return highest;
}

bool TierChain::Has(uint64_t number) const {
  return std::any_of(tiers_.begin(), tiers_.end(),
                     [number](const auto& tier) { return tier->Has(number); });
}

Status TierChain::End() {
  Status first;
  for (const auto& tier : tiers_) {
    Status ended = tier->End();
    if (first) first = std::move(ended);
  }
  return first;
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
