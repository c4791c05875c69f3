#include "store/roles/facts_role.h"

#include <unistd.h>
#include <vitrine/version.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "store/accounts/accounts_metrics.h"
#include "store/index/index_buckets.h"
#include "store/roles/store_metrics.h"

namespace vitrine::store {

StoreFacts::Usage FactsRole::GetUsage() {
  const MemoryBudget::Numbers budget = parts_->budget->Get();
  const auto [sealed, unsealed] = parts_->table->queries().CountObjects();
  const uint64_t free_bytes =
      budget.capacity_bytes -
      std::min(budget.capacity_bytes, budget.used_bytes);
  const uint64_t free_slots = IndexBuckets::kSlotLimit - sealed;
  return {.capacity_bytes = budget.capacity_bytes,
          .used_bytes = budget.used_bytes,
          .sealed_objects = sealed,
          .unsealed_objects = unsealed,
          .free_objects = std::min(free_slots, free_bytes / page_bytes())};
}

StatusSection FactsRole::GetMemoryStatus() const {
  return MemorySection({.directory = parts_->place->memory_dir(),
                        .kind = parts_->place->Describe(),
                        .huge_pages = parts_->place->huge_pages(),
                        .collapses = parts_->segments.collapses(),
                        .collapsed_bytes = parts_->segments.collapsed_bytes(),
                        .numa = parts_->segments.numa_policy().Describe(),
                        .page_bytes = parts_->segments.page_bytes(),
                        .overshoot_bytes = parts_->place->overshoot_bytes(),
                        .client_bytes = parts_->client_memory->bytes()},
                       parts_->budget->Get(), parts_->watch->Count());
}

StatusSection FactsRole::GetStatus() {
  const TableQueries::Numbers table = parts_->table->queries().Count();
  StatusSection status = StoreSection(
      {.version = Version(),
       .pid = ::getpid(),
       .uid = ::geteuid(),
       .uptime = std::chrono::steady_clock::now() - parts_->started,
       .state_dir = parts_->options.state_dir,
       .dedicated_threshold_bytes = parts_->options.dedicated_threshold_bytes},
      parts_->budget->Get(), parts_->client_memory->budgeted_bytes(), table);
  status.AddPart("restart", RestartSection(parts_->restart));
  status.AddPart("objects", ObjectsSection(table, parts_->orphans->Count()));
  status.AddPart("abandoned", AbandonedSection(parts_->abandoned->Count()));
  status.AddPart("slabs", SlabsSection(table, small_->small_object_bytes()));
  status.AddPart("memory", GetMemoryStatus());
  status.AddPart("pool", PoolSection(parts_->pool->Count()));
  status.AddPart("seal_copies", SealCopiesSection(parts_->copier->Count()));
  status.AddPart("eviction", EvictionSection(table, parts_->evictor->Count()));
  if (parts_->pressure != nullptr) {
    status.AddPart("pressure", PressureSection(parts_->pressure->Count()));
  }
  if (parts_->retriever != nullptr) {
    status.AddPart("retriever", RetrieverSection(parts_->retriever->Count()));
  }
  if (parts_->options.tier != nullptr) {
    status.AddList("external_stores", parts_->options.tier->Sections());
  }
  status.AddList("clients", parts_->clients.GetStatus());
  status.AddList("accounts", AccountSections(parts_->accounts));
  status.AddPart("catalog", parts_->catalog->GetStatus());
  MutexLock lock(sources_mutex_);
  for (const auto& [name, source] : sources_) status.AddPart(name, source());
  return status;
}

void FactsRole::SetStatusSource(const std::string& name,
                                std::function<StatusSection()> source) {
  MutexLock lock(sources_mutex_);
  if (source) {
    sources_[name] = std::move(source);
  } else {
    sources_.erase(name);
  }
}

}  // namespace vitrine::store
