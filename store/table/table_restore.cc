#include "store/table/table_restore.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace vitrine::store {
namespace {

bool IsLoss(const Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kCorruption;
}

}  // namespace

Result<Slab*> TableRestore::RestoreSlab(uint64_t segment, uid_t owner) {
  if (Slab* const known = table_->slabs.Find(segment)) return known;
  auto file = table_->segments->OpenShared(segment);
  if (!file) return file.error();
  auto extent = (*file)->Stat();
  if (!extent) return extent.error();
  if (Status ok = table_->segments->MakeReadOnly(segment, true); !ok) {
    return ok.error();
  }
  return table_->slabs.Restore(segment, extent->size_bytes, owner);
}

Status TableRestore::RestoreInSlab(ObjectRecord* object,
                                   const ObjectInfo& journaled) {
  auto slab = RestoreSlab(journaled.slab, journaled.uid);
  if (!slab) return slab.error();
  const uint64_t slab_bytes = (*slab)->size_bytes();
  if (journaled.offset_bytes > slab_bytes ||
      journaled.size_bytes > slab_bytes - journaled.offset_bytes) {
    return Error{Code::kCorruption, "an object beyond the end of its slab"};
  }
  object->slab = *slab;
  return Status();
}

ObjectRef TableRestore::MakeRecord(const JournaledObject& journaled) {
  if (journaled.info.in_slab()) {
    return MakeSmallRecord(journaled.info, journaled.metadata);
  }
  auto object = std::make_shared<ObjectRecord>(journaled.info);
  object->own->SetMetadata(journaled.metadata);
  return object;
}

Status TableRestore::RestoreInMemory(const ObjectRef& object,
                                     const ObjectInfo& journaled) {
  Status restored = object->in_slab()
                        ? RestoreInSlab(object.get(), journaled)
                        : table_->residency.Restore(object.get(), journaled);
  return restored ? table_->Publish(object) : restored;
}

Status TableRestore::RestoreElsewhere(const ObjectRef& object) {
  if (object->copied) return table_->PublishElsewhere(object);
  return Error{Code::kNotFound, "the external store has no copy"};
}

Result<ObjectRef> TableRestore::RestoreOne(const JournaledObject& journaled) {
  ObjectRef object = MakeRecord(journaled);
  Status restored = object->elsewhere ? RestoreElsewhere(object)
                                      : RestoreInMemory(object, journaled.info);
  if (!restored) return restored.error();
  table_->accounts->ForceCharge(PayerOf(*object), ChargeOf(*object));
  return object;
}

Result<ObjectRef> TableRestore::RestoreAnywhere(
    const JournaledObject& journaled) {
  auto live = RestoreOne(journaled);
  if (live || !IsLoss(live.error()) || !journaled.info.copied ||
      journaled.info.elsewhere) {
    return live;
  }
  // Of another size, or gone, which is all the same.
  if (!journaled.info.in_slab()) {
    (void)table_->segments->Unlink(journaled.info.number);
  }
  JournaledObject copy = journaled;
  MarkElsewhere(&copy.info);
  live = RestoreOne(copy);
  if (!live) return live;
  // Without this record, the next restart looks for it here again.
  if (Status ok = table_->log.RecordDeparted({&*live, 1}); !ok) {
    spdlog::warn("journal: {}", ok.error().ToString());
  }
  return live;
}

Status TableRestore::RemoveUnnamed(const UnnamedSegments& unnamed) {
  for (const uint64_t number : unnamed.numbers) {
    table_->next_number = std::max(table_->next_number, number + 1);
    if (Status ok = table_->segments->Unlink(number); !ok) return ok;
  }
  return Status();
}

// Its removal was under way or is not in the journal, or somebody deleted its
// file.
void TableRestore::Forget(const JournaledObject& journaled, const Error& why) {
  spdlog::warn("not restored: `{}`: {}", journaled.info.id.text(),
               why.ToString());
  table_->log.RecordLost(journaled);
  if (journaled.info.in_slab() || journaled.info.elsewhere) return;
  // Of another size, or gone, which is all the same.
  (void)table_->segments->Unlink(journaled.info.number);
}

Status TableRestore::RestoreInto(Restored* restored,
                                 const JournaledObject& journaled) {
  const auto live = RestoreAnywhere(journaled);
  if (live) {
    restored->cost_bytes += (*live)->overhead_bytes();
    if (!(*live)->in_slab()) restored->cost_bytes += (*live)->charged_bytes();
    return Status();
  }
  // No memory, no descriptor: it may be had later.
  if (!IsLoss(live.error())) return live.error();
  Forget(journaled, live.error());
  restored->missing.push_back(journaled.info.number);
  return Status();
}

Result<TableRestore::Restored> TableRestore::Restore(
    const JournalContents& journal, const UnnamedSegments& unnamed) {
  MutexLock lock(table_->mutex);
  // Also after numbers of dead objects: a record of one may have been lost.
  table_->next_number =
      std::max(table_->next_number, journal.highest_number + 1);
  if (Status ok = RemoveUnnamed(unnamed); !ok) return ok.error();
  std::vector<std::pair<int64_t, const JournaledObject*>> by_use;
  by_use.reserve(journal.objects.size());
  for (const JournaledObject& object : journal.objects) {
    by_use.emplace_back(object.info.used_ns, &object);
  }
  std::sort(by_use.begin(), by_use.end());
  Restored restored;
  for (const auto& [used_ns, object] : by_use) {
    if (Status ok = RestoreInto(&restored, *object); !ok) return ok.error();
  }
  (void)table_->directory.index().TakeMovedFutexes();  // Nobody waits yet.
  table_->slabs.EndRestore();
  return restored;
}

}  // namespace vitrine::store
