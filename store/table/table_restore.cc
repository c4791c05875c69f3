#include "store/table/table_restore.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <unordered_set>
#include <utility>

namespace vitrine::store {

Result<Slab*> TableRestore::RestoreSlab(uint64_t segment) {
  if (Slab* const known = table_->slabs.Find(segment)) return known;
  auto file = table_->segments->OpenShared(segment);
  if (!file) return file.error();
  auto extent = (*file)->Stat();
  if (!extent) return extent.error();
  if (Status ok = table_->segments->MakeReadOnly(segment, true); !ok) {
    return ok.error();
  }
  return table_->slabs.Restore(segment, extent->size_bytes);
}

Status TableRestore::RestoreInSlab(ObjectRecord* object,
                                   const ObjectInfo& journaled) {
  auto slab = RestoreSlab(journaled.slab);
  if (!slab) return slab.error();
  const uint64_t slab_bytes = (*slab)->size_bytes();
  if (journaled.offset_bytes > slab_bytes ||
      journaled.size_bytes > slab_bytes - journaled.offset_bytes) {
    return Error{Code::kCorruption, "an object beyond the end of its slab"};
  }
  object->slab = *slab;
  return Status();
}

Result<ObjectRef> TableRestore::RestoreOne(const JournaledObject& journaled) {
  auto object = journaled.info.in_slab()
                    ? MakeSmallRecord(journaled.info, journaled.metadata)
                    : std::make_shared<ObjectRecord>(journaled.info);
  object->state = ObjectState::kSealed;
  Status restored = object->in_slab()
                        ? RestoreInSlab(object.get(), journaled.info)
                        : table_->residency.Restore(object.get(), journaled);
  if (restored) restored = table_->Publish(object);
  if (!restored) return restored.error();
  return object;
}

Result<uint64_t> TableRestore::Restore(
    const std::vector<JournaledObject>& journaled) {
  MutexLock lock(table_->mutex);
  auto segments = table_->segments->ListAll();
  if (!segments) return segments.error();
  std::unordered_set<uint64_t> wanted;
  for (const JournaledObject& object : journaled) {
    wanted.insert(object.info.segment());
  }
  for (uint64_t number : *segments) {
    table_->next_number = std::max(table_->next_number, number + 1);
    if (wanted.contains(number)) continue;
    if (Status ok = table_->segments->Unlink(number); !ok) return ok.error();
  }
  std::vector<std::pair<int64_t, const JournaledObject*>> by_use;
  by_use.reserve(journaled.size());
  for (const JournaledObject& object : journaled) {
    by_use.emplace_back(object.info.used_ns, &object);
  }
  std::sort(by_use.begin(), by_use.end());
  uint64_t cost_bytes = 0;
  for (const auto& [used_ns, object] : by_use) {
    table_->next_number =
        std::max(table_->next_number, object->info.number + 1);
    if (const auto live = RestoreOne(*object); live) {
      cost_bytes += (*live)->overhead_bytes();
      if (!(*live)->in_slab()) cost_bytes += (*live)->charged_bytes();
    } else if (live.error().code != Code::kNotFound &&
               live.error().code != Code::kCorruption) {
      return live.error();  // No memory, no descriptor: it may be had later.
    } else {
      // Its removal was under way, or somebody deleted its file.
      spdlog::warn("not restored: `{}`: {}", object->info.id.text(),
                   live.error().ToString());
      table_->log.RecordLost(*object);
      if (!object->info.in_slab()) {
        (void)table_->segments->Unlink(object->info.number);
      }
    }
  }
  (void)table_->directory.index().TakeMovedFutexes();  // Nobody waits yet.
  table_->slabs.EndRestore();
  return cost_bytes;
}

}  // namespace vitrine::store
