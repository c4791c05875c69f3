#include "store/roles/facts_role.h"

#include <unistd.h>
#include <vitrine/version.h>

#include <algorithm>
#include <chrono>

namespace vitrine::store {

using nlohmann::json;

StoreFacts::Usage FactsRole::GetUsage() {
  const MemoryBudget::Numbers budget = parts_->budget->Get();
  const auto [sealed, unsealed] = parts_->table->queries().CountObjects();
  return {.capacity_bytes = budget.capacity_bytes,
          .used_bytes = budget.used_bytes,
          .sealed_objects = sealed,
          .unsealed_objects = unsealed};
}

json FactsRole::MemoryJson() const {
  const MemoryBudget::Numbers budget = parts_->budget->Get();
  const WriterWatch::Numbers watch = parts_->watch->Count();
  return {{"directory", parts_->place->memory_dir()},
          {"kind", parts_->place->Describe()},
          {"huge_pages", parts_->place->huge_pages()},
          {"numa", parts_->segments.numa_policy().Describe()},
          {"page_bytes", parts_->segments.page_bytes()},
          {"overshoot_bytes", parts_->place->overshoot_bytes()},
          {"low_water_bytes", budget.low_water_bytes},
          {"waiters", budget.waiters},
          {"waiting_bytes", budget.waiting_bytes},
          {"passthrough_writers", watch.writers},
          {"writers_outran_evictor", watch.outran}};
}

json FactsRole::PoolJson() const {
  const SegmentPool::Numbers pool = parts_->pool->Count();
  return {{"segments", pool.segments},       {"bytes", pool.bytes},
          {"limit_bytes", pool.limit_bytes}, {"reused", pool.reused},
          {"missed", pool.missed},           {"prepared", pool.prepared}};
}

json FactsRole::EvictionJson() const {
  const TableQueries::Numbers table = parts_->table->queries().Count();
  const Evictor::Numbers evictor = parts_->evictor->Count();
  return {{"policy", "lru"},
          {"evictable_segments", table.evictable_segments},
          {"evicted_objects", table.evicted_objects},
          {"evicted_bytes", table.evicted_bytes},
          {"batches", evictor.batches},
          {"busy", evictor.busy},
          {"recalls", evictor.recalls},
          {"stuck", evictor.stuck}};
}

json FactsRole::StatusJson() {
  const MemoryBudget::Numbers budget = parts_->budget->Get();
  const TableQueries::Numbers table = parts_->table->queries().Count();
  const Orphans::Numbers orphans = parts_->orphans->Count();
  const auto uptime = std::chrono::steady_clock::now() - parts_->started;
  const uint64_t free = budget.capacity_bytes -
                        std::min(budget.capacity_bytes, budget.used_bytes);
  json status = {
      {"version", Version()},
      {"pid", ::getpid()},
      {"uptime_s",
       std::chrono::duration_cast<std::chrono::seconds>(uptime).count()},
      {"state_dir", parts_->options.state_dir},
      {"capacity_bytes", budget.capacity_bytes},
      {"used_bytes", budget.used_bytes},
      {"free_bytes", free},
      {"objects",
       {{"sealed", table.sealed_objects},
        {"sealed_bytes", table.sealed_bytes},
        {"held", table.held_objects},
        {"held_bytes", table.held_bytes},
        {"unsealed", table.unsealed_objects},
        {"unsealed_bytes", table.unsealed_bytes},
        {"deleted_in_use", orphans.count},
        {"deleted_in_use_bytes", orphans.bytes}}},
      {"slabs",
       {{"count", table.slabs},
        {"bytes", table.slab_bytes},
        {"objects", table.slab_objects},
        {"moved_objects", table.moved_objects},
        {"most_object_bytes", small_->small_object_bytes()}}},
      {"memory", MemoryJson()},
      {"pool", PoolJson()},
      {"eviction", EvictionJson()},
      {"index_bytes", table.index_bytes},
      {"journal_bytes", table.journal_bytes},
      {"dedicated_threshold_bytes", parts_->options.dedicated_threshold_bytes},
      {"clients", parts_->clients.StatusJson()},
      {"catalog", parts_->catalog->StatusJson()}};
  MutexLock lock(sources_mutex_);
  for (const auto& [name, source] : sources_) status[name] = source();
  return status;
}

void FactsRole::SetStatusSource(const std::string& name,
                                std::function<json()> source) {
  MutexLock lock(sources_mutex_);
  if (source) {
    sources_[name] = std::move(source);
  } else {
    sources_.erase(name);
  }
}

}  // namespace vitrine::store
