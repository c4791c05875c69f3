#include "store/roles/sealed_role.h"

#include <algorithm>
#include <utility>

namespace vitrine::store {
namespace {

// Under one hold of the table's lock.
constexpr size_t kDeletedAtOnce = 32;

}  // namespace

Result<ObjectRef> SealedRole::FindSealed(const ObjectId& id) {
  return parts_->table->sealed().FindSealed(id);
}

Status SealedRole::Delete(const ObjectRef& object, const Credentials& who) {
  auto dropped = parts_->table->sealed().Delete(object, who);
  if (!dropped) return dropped.error();
  const uint64_t segment = dropped->number;
  parts_->DropNow(*std::move(dropped));
  if (parts_->options.tier != nullptr) ForgetCopy(object);
  // Clients that only keep it mapped for next time should let go.
  if (segment != 0) parts_->clients.Recall({segment});
  return Status();
}

std::vector<Status> SealedRole::DeleteMany(std::span<const ObjectId> ids,
                                           const Credentials& who) {
  std::vector<Status> results;
  std::vector<uint64_t> segments;
  while (!ids.empty()) {
    const auto some = ids.first(std::min(ids.size(), kDeletedAtOnce));
    ids = ids.subspan(some.size());
    for (auto& deleted : parts_->table->sealed().DeleteMany(some, who)) {
      results.push_back(deleted ? Status() : Status(deleted.error()));
      if (!deleted) continue;
      if (deleted->dropped.number != 0) {
        segments.push_back(deleted->dropped.number);
      }
      parts_->DropNow(std::move(deleted->dropped));
      if (parts_->options.tier != nullptr) ForgetCopy(deleted->object);
    }
  }
  if (!segments.empty()) parts_->clients.Recall(segments);
  return results;
}

void SealedRole::ForgetCopy(const ObjectRef& object) {
  parts_->budget->EndWaitsOf(object.get());  // To bring it back.
  if (!parts_->table->queries().Info(object).copied) return;
  parts_->options.tier->Forget(NumberOf(*object));
}

// Without a tier, a sealed object is in memory.
void SealedRole::Want(const ObjectId& id, SpaceWait wait, Done<void> done) {
  const auto object = FindSealed(id);
  if (!object) return done(object.error());
  if (parts_->retriever == nullptr) return done(Status());
  parts_->retriever->Want(*object, wait, std::move(done));
}

Status SealedRole::SetHold(const ObjectRef& object, bool hold,
                           const Credentials& who) {
  Status held = parts_->table->sealed().SetHold(object, hold, who);
  if (held && !hold) parts_->evictor->Wake();
  return held;
}

void SealedRole::Evict(uint64_t bytes, Done<uint64_t> done) {
  parts_->evictor->Request(bytes, std::move(done));
}

}  // namespace vitrine::store
