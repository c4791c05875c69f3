#include "store/table/upkeep.h"

namespace vitrine::store {

void Upkeep::AddObserver(Observer* observer) {
  MutexLock lock(table_->mutex);
  table_->log.AddObserver(observer);
}

void Upkeep::RemoveObserver(Observer* observer) {
  MutexLock lock(table_->mutex);
  table_->log.RemoveObserver(observer);
}

std::vector<Observer*> Upkeep::Observers() const {
  MutexLock lock(table_->mutex);
  return table_->log.observers();
}

void Upkeep::DrainTouches() {
  MutexLock lock(table_->mutex);
  table_->clients->DrainTouches([this](uint32_t slot) REQUIRES(table_->mutex) {
    if (const auto object = table_->directory.InSlot(slot))
      table_->Touch(object.get());
  });
}

std::vector<ObjectInfo> Upkeep::TakeUses() {
  MutexLock lock(table_->mutex);
  std::vector<ObjectInfo> infos;
  for (const auto& weak : table_->used) {
    const ObjectRef object = weak.lock();
    if (object == nullptr) continue;
    object->uses_changed = false;
    if (object->state == ObjectState::kSealed) {
      infos.push_back(object->Info());
    }
  }
  table_->used.clear();
  return infos;
}

void Upkeep::RewriteJournalIfWanted() {
  MutexLock lock(table_->mutex);
  table_->log.RewriteIfWanted([this](const Journal::Visitor& visit) REQUIRES(
                                  table_->mutex) { VisitSealed(visit); });
}

Status Upkeep::RewriteJournalFor(std::vector<uint64_t> tiers) {
  MutexLock lock(table_->mutex);
  return table_->log.RewriteFor(
      std::move(tiers), [this](const Journal::Visitor& visit)
                            REQUIRES(table_->mutex) { VisitSealed(visit); });
}

void Upkeep::VisitSealed(const Journal::Visitor& visit) const {
  for (const ObjectRef& object : table_->directory.slots()) {
    if (object != nullptr) visit(object->Journaled());
  }
}

void Upkeep::Recycle() {
  MutexLock lock(table_->mutex);
  table_->residency.Recycle();
}

}  // namespace vitrine::store
