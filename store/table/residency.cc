#include "store/table/residency.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "store/segments/segment_calls.h"
#include "store/table/object_errors.h"
#include "store/table/reckoning.h"

namespace vitrine::store {
namespace {

// Looking for holes takes longer, the more pages there are.
constexpr uint64_t kMostLookedThrough = 2 << 20;

}  // namespace

Result<std::shared_ptr<SegmentFile>> Residency::Share(ObjectRecord* object) {
  if (object->slab != nullptr) return Share(object->slab);
  if (object->elsewhere) return Elsewhere(*object);
  if (object->in_slab()) return Gone(*object);  // It has left the slab.
  if (auto file = object->own->shared.lock()) return file;
  if (object->state == ObjectState::kGone) return Gone(*object);
  auto opened = segments_->OpenShared(object->number);
  if (opened) object->own->shared = *opened;
  return opened;
}

Result<std::shared_ptr<SegmentFile>> Residency::Share(Slab* slab) {
  if (auto file = slab->shared.lock()) return file;
  auto opened = segments_->OpenShared(slab->segment());
  if (opened) slab->shared = *opened;
  return opened;
}

Status Residency::CheckNobodyWrites(ObjectRecord* object) {
  if (object->has_writers()) {
    return Error{Code::kInUse, "a writer has it open"};
  }
  auto file = Share(object);
  if (!file) return file.error();
  auto nobody_writes = (*file)->NobodyWrites();
  if (!nobody_writes) return nobody_writes.error();
  if (!*nobody_writes) {
    return Error{Code::kInUse, "somebody has it open or mapped for writing"};
  }
  return Status();
}

uint64_t Residency::WholePages(uint64_t size_bytes) const {
  return RoundUpTo(size_bytes, segments_->page_bytes());
}

bool Residency::IsUnchanged(ObjectRecord* object) {
  const auto file = Share(object);
  if (!file) return false;
  const auto extent = (*file)->Stat();
  const uint64_t whole_bytes = WholePages(object->size_bytes);
  return extent && extent->allocated_bytes == whole_bytes &&
         extent->size_bytes ==
             (segments_->is_hugetlbfs() ? whole_bytes : object->size_bytes);
}

Result<int64_t> Residency::CutTo(ObjectRecord* object, uint64_t size_bytes) {
  const uint64_t whole_bytes = WholePages(object->size_bytes);
  if (object->size_bytes == size_bytes &&
      object->own->charged_bytes == whole_bytes) {
    return int64_t{0};
  }
  if (Status ok = segments_->SetSize(object->number, size_bytes); !ok) {
    return ok.error();
  }
  object->size_bytes = size_bytes;
  return Settle(object);
}

bool Residency::HasItsPages(ObjectRecord* object) {
  const auto file = Share(object);
  if (segments_->is_hugetlbfs() || !file) return false;
  const auto extent = (*file)->Stat();
  return extent && extent->size_bytes <= kMostLookedThrough &&
         extent->allocated_bytes ==
             RoundUpTo(extent->size_bytes, segments_->page_bytes()) &&
         (*file)->IsWrittenTo(extent->size_bytes);
}

Status Residency::FillHoles(const ObjectRecord& object,
                            uint64_t most_bytes) const {
  const uint64_t size_bytes = object.size_bytes;
  if (size_bytes > most_bytes) {
    return Error{Code::kTooLarge,
                 std::to_string(size_bytes) +
                     " bytes with the holes are more than the capacity"};
  }
  return segments_->Reserve(object.number, 0, size_bytes);
}

int64_t Residency::Settle(ObjectRecord* object) {
  auto file = Share(object);
  if (!file) return 0;
  auto extent = (*file)->Stat();
  if (!extent) return 0;
  if (!segments_->is_hugetlbfs()) object->size_bytes = extent->size_bytes;
  const uint64_t before =
      std::exchange(object->own->charged_bytes, extent->allocated_bytes);
  return static_cast<int64_t>(before) -
         static_cast<int64_t>(extent->allocated_bytes);
}

void Residency::RefreshExtent(ObjectRecord* object) {
  if (!object->writable() || object->own->renewing) return;
  const auto file = Share(object);
  if (!file) return;
  const auto extent = (*file)->Stat();
  if (!extent) return;
  // hugetlbfs only knows whole huge pages; there we keep count ourselves.
  if (!segments_->is_hugetlbfs()) object->size_bytes = extent->size_bytes;
  object->own->allocated_bytes = extent->allocated_bytes;
  object->own->modified_ns = extent->modified_ns;
}

bool Residency::IsOpen(ObjectRecord* object) {
  if (object->elsewhere) return false;
  // A process that has a slab mapped may read any of its objects, or none.
  if (object->slab != nullptr) return object->slab->shared.use_count() > 0;
  return object->has_writers() || OthersHave(object);
}

bool Residency::OthersHave(ObjectRecord* object) {
  if (object->own->shared.use_count() > 0) return true;
  auto file = Share(object);
  if (!file) return true;
  auto alone = (*file)->LeaseAlone();
  (*file)->Unlease();
  return !alone || !*alone;
}

DroppedSegment Residency::Take(ObjectRecord* object, uint64_t retired) {
  DroppedSegment dropped{.number = object->number,
                         .charged_bytes = object->charged_bytes(),
                         .payer = PayerOf(*object)};
  if (auto file = Share(object)) dropped.file = *file;
  // What was never sealed nobody may see.
  std::optional<Audience> audience;
  if (object->state == ObjectState::kSealed && object->own->recyclable &&
      object->own->holders.OnlyTrustedAnd(object->uid)) {
    audience = object->audience();
  }
  RemoveName(audience, retired, &dropped);
  return dropped;
}

DroppedSegment Residency::Take(Slab* slab) {
  DroppedSegment dropped{.number = slab->segment(),
                         .charged_bytes = slab->size_bytes()};
  if (auto file = Share(slab)) dropped.file = *file;
  RemoveName(Audience::OfSlabs(slab->size_bytes()), slab->segment(), &dropped);
  return dropped;
}

void Residency::RemoveName(const std::optional<Audience>& audience,
                           uint64_t retired, DroppedSegment* dropped) {
  if (dropped->file != nullptr && segments_->can_retire()) {
    Status done = segments_->Retire(dropped->number, retired);
    if (done) {
      if (recycles_) dropped->retired_from = audience;
      dropped->retired_number = retired;
      return;
    }
    spdlog::warn("retiring: {}", done.error().ToString());
  }
  if (Status ok = segments_->Unlink(dropped->number); !ok) {
    spdlog::error("unlink: {}", ok.error().ToString());
  }
}

Status Residency::PutBack(ObjectRecord* object, const RetiredSegment& segment) {
  if (Status ok = segments_->Reinstate(segment.number, object->number); !ok) {
    return ok;
  }
  object->own->shared.reset();  // That was another segment.
  object->own->charged_bytes = segment.allocated_bytes;
  object->own->recycled = false;
  // As at a seal: until it is done, clients ask for a descriptor.
  if (Status ok =
          segments_->MakeReadOnly(object->number, object->readable_by_all());
      !ok) {
    spdlog::error("bringing back: {}", ok.error().ToString());
  }
  return Status();
}

Status Residency::Restore(ObjectRecord* object, const ObjectInfo& journaled) {
  object->own->recyclable = false;  // Who knows what the store before gave.
  auto file = Share(object);
  if (!file) return file.error();
  auto extent = (*file)->Stat();
  if (!extent) return extent.error();
  if (extent->size_bytes !=
      (segments_->is_hugetlbfs()
           ? RoundUpTo(journaled.size_bytes, segments_->page_bytes())
           : journaled.size_bytes)) {
    return Error{Code::kCorruption, "segment of another size"};
  }
  object->own->charged_bytes = extent->allocated_bytes;
  return segments_->MakeReadOnly(object->number, object->readable_by_all());
}

}  // namespace vitrine::store
