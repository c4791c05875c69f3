#include "store/catalog/catalog_reconcile.h"

#include <algorithm>
#include <utility>

namespace vitrine::store {
namespace {

constexpr size_t kPage = 4096;

}  // namespace

Status CatalogReconcile::Step(CatalogWriter* writer, const Context& context) {
  switch (phase_) {
    case Phase::kClients:
      if (reason_ == Reason::kRestart) {
        if (Status status = writer->EndAllClients(); !status) return status;
      }
      phase_ = Phase::kLiving;
      [[fallthrough]];
    case Phase::kLiving:
      return StepLiving(writer, context);
    case Phase::kKnown:
      return StepKnown(writer, context);
    case Phase::kDone:
      break;
  }
  return Status();
}

Status CatalogReconcile::StepLiving(CatalogWriter* writer,
                                    const Context& context) {
  std::vector<ObjectInfo> infos;
  uint64_t next = place_;
  const bool more = live_->ReadPage(&next, &infos);
  const size_t seen = infos.size();
  const CatalogBatch& newer = context.fold();
  std::erase_if(infos, [&newer](const ObjectInfo& info) {
    return newer.objects().contains(info.number);
  });
  // Neighbours share pages of the database.
  std::sort(infos.begin(), infos.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  if (Status status = writer->WriteLive(infos); !status) return status;
  left_ -= std::min(left_, seen);
  place_ = more ? next : 0;
  if (!more) phase_ = Phase::kKnown;
  return Status();
}

Status CatalogReconcile::StepKnown(CatalogWriter* writer,
                                   const Context& context) {
  auto known = writer->ReadLiving(place_, kPage);
  if (!known) return known.error();
  const bool more = known->size() == kPage;
  const uint64_t next = known->empty() ? 0 : known->back().number + 1;
  const std::vector<bool> alive = live_->AreAlive(*known);
  const CatalogBatch& newer = context.fold();
  std::vector<KnownObject> lost;
  for (size_t i = 0; i < known->size(); ++i) {
    KnownObject& object = (*known)[i];
    if (alive[i] || newer.objects().contains(object.number)) continue;
    lost.push_back(std::move(object));
  }
  const bool restart = reason_ == Reason::kRestart;
  Status status =
      writer->WriteLost(lost, restart ? context.take_sequence : nullptr);
  if (!status) return status;
  place_ = next;
  if (!more) phase_ = Phase::kDone;
  return Status();
}

}  // namespace vitrine::store
