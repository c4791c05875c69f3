// What `status` shows of the store.

#include <unistd.h>
#include <vitrine/version.h>

#include "store/object_store.h"

namespace vitrine::store {

using nlohmann::json;

Store::Usage ObjectStore::GetUsage() {
  const MemoryBudget::Numbers budget = budget_->Get();
  const auto [sealed, unsealed] = table_->queries().CountObjects();
  return {.capacity_bytes = budget.capacity_bytes,
          .used_bytes = budget.used_bytes,
          .sealed_objects = sealed,
          .unsealed_objects = unsealed};
}

json ObjectStore::MemoryJson() const {
  const MemoryBudget::Numbers budget = budget_->Get();
  const WriterWatch::Numbers watch = watch_->Count();
  return {{"directory", place_->memory_dir()},
          {"kind", place_->Describe()},
          {"huge_pages", place_->huge_pages()},
          {"numa", segments_.numa_policy().Describe()},
          {"page_bytes", segments_.page_bytes()},
          {"overshoot_bytes", place_->overshoot_bytes()},
          {"low_water_bytes", budget.low_water_bytes},
          {"waiters", budget.waiters},
          {"waiting_bytes", budget.waiting_bytes},
          {"passthrough_writers", watch.writers},
          {"writers_outran_evictor", watch.outran}};
}

json ObjectStore::PoolJson() const {
  const SegmentPool::Numbers pool = pool_->Count();
  return {{"segments", pool.segments},       {"bytes", pool.bytes},
          {"limit_bytes", pool.limit_bytes}, {"reused", pool.reused},
          {"missed", pool.missed},           {"prepared", pool.prepared}};
}

json ObjectStore::EvictionJson() const {
  const TableQueries::Numbers table = table_->queries().Count();
  const Evictor::Numbers evictor = evictor_->Count();
  return {{"policy", "lru"},
          {"evictable_segments", table.evictable_segments},
          {"evicted_objects", table.evicted_objects},
          {"evicted_bytes", table.evicted_bytes},
          {"batches", evictor.batches},
          {"busy", evictor.busy},
          {"recalls", evictor.recalls},
          {"stuck", evictor.stuck}};
}

json ObjectStore::StatusJson() {
  const MemoryBudget::Numbers budget = budget_->Get();
  const TableQueries::Numbers table = table_->queries().Count();
  const Orphans::Numbers orphans = orphans_->Count();
  const auto uptime = std::chrono::steady_clock::now() - started_;
  const uint64_t free = budget.capacity_bytes -
                        std::min(budget.capacity_bytes, budget.used_bytes);
  json status = {
      {"version", Version()},
      {"pid", ::getpid()},
      {"uptime_s",
       std::chrono::duration_cast<std::chrono::seconds>(uptime).count()},
      {"state_dir", options_.state_dir},
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
        {"most_object_bytes", small_object_bytes()}}},
      {"memory", MemoryJson()},
      {"pool", PoolJson()},
      {"eviction", EvictionJson()},
      {"index_bytes", table.index_bytes},
      {"journal_bytes", table.journal_bytes},
      {"dedicated_threshold_bytes", options_.dedicated_threshold_bytes},
      {"clients", clients_.StatusJson()},
      {"catalog", catalog_->StatusJson()}};
  MutexLock lock(sources_mutex_);
  for (const auto& [name, source] : sources_) status[name] = source();
  return status;
}

void ObjectStore::SetStatusSource(const std::string& name,
                                  std::function<json()> source) {
  MutexLock lock(sources_mutex_);
  if (source) {
    sources_[name] = std::move(source);
  } else {
    sources_.erase(name);
  }
}

}  // namespace vitrine::store
