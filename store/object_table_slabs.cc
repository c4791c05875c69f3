// Small objects, which share segments.
#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "schema/base/wall_clock.h"
#include "store/object_table.h"

namespace vitrine {
namespace {

// Makes a segment of `size_bytes` that everybody may read, and maps it.
Result<Mapping> MakeSlab(SegmentDir* segments, uint64_t segment,
                         uint64_t size_bytes) {
  if (Status ok = segments->Create(segment); !ok) return ok.error();
  if (Status ok = segments->SetSize(segment, size_bytes); !ok) {
    return ok.error();
  }
  if (Status ok = segments->Reserve(segment, 0, size_bytes); !ok) {
    return ok.error();
  }
  auto fd = segments->OpenFresh(segment, O_RDWR);
  if (!fd) return fd.error();
  if (Status ok = segments->MakeReadOnly(segment, true); !ok) return ok.error();
  return Mapping::Map(fd->get(), size_bytes, PROT_READ | PROT_WRITE);
}

const std::shared_ptr<const Metadata>& NoMetadata() {
  static const auto none = std::make_shared<const Metadata>();
  return none;
}

}  // namespace

Result<DroppedSegment> ObjectTable::OpenSlab(uint64_t size_bytes) {
  uint64_t segment;
  {
    MutexLock lock(mutex_);
    segment = next_number_++;
  }
  auto memory = MakeSlab(segments_, segment, size_bytes);
  if (!memory) {
    (void)segments_->Unlink(segment);  // It may not have come that far.
    return memory.error();
  }
  auto slab = std::make_unique<Slab>(segment, std::move(*memory));
  MutexLock lock(mutex_);
  DroppedSegment dropped = CloseSlab();
  open_slab_ = slab.get();
  idle_end_bytes_ = UINT64_MAX;  // It was never looked at.
  slabs_.emplace(segment, std::move(slab));
  slab_bytes_ += size_bytes;
  return dropped;
}

DroppedSegment ObjectTable::CloseSlab() {
  Slab* const slab = std::exchange(open_slab_, nullptr);
  if (slab == nullptr) return {};
  slab->Close();
  if (slab->live() == 0) return DropSlab(slab);
  UpdateEvictable(slab);
  return {};
}

void ObjectTable::UpdateEvictable(Slab* slab) {
  const bool evictable = !slab->open() && slab->held == 0;
  if (evictable == slab->evictable) return;
  slab->evictable = evictable;
  if (evictable) {
    MakeEvictable(slab->segment(), slab->size_bytes());
  } else {
    MakeUnevictable(slab->segment(), slab->size_bytes());
  }
}

bool ObjectTable::HasRoom(uint64_t bytes) const {
  MutexLock lock(mutex_);
  return open_slab_ != nullptr && open_slab_->HasRoom(bytes);
}

DroppedSegment ObjectTable::CloseIdleSlab() {
  MutexLock lock(mutex_);
  if (open_slab_ == nullptr || open_slab_->live() > 0) return {};
  const bool idle = open_slab_->end_bytes() == idle_end_bytes_;
  idle_end_bytes_ = open_slab_->end_bytes();
  return idle ? CloseSlab() : DroppedSegment{};
}

DroppedSegment ObjectTable::LeaveSlab(Slab* slab) {
  if (slab->live() > 0 || slab->open()) return {};
  return DropSlab(slab);
}

DroppedSegment ObjectTable::DropSlab(Slab* slab) {
  if (slab->evictable) MakeUnevictable(slab->segment(), slab->size_bytes());
  DroppedSegment dropped{.number = slab->segment(),
                         .charged_bytes = slab->size_bytes()};
  if (auto file = ShareSlabLocked(slab)) dropped.file = *file;
  if (Status ok = segments_->Unlink(slab->segment()); !ok) {
    spdlog::error("unlink: {}", ok.error().ToString());
  }
  slab_bytes_ -= slab->size_bytes();
  slabs_.erase(dropped.number);
  return dropped;
}

Result<std::shared_ptr<SegmentFile>> ObjectTable::ShareSlabLocked(Slab* slab) {
  if (auto file = slab->shared.lock()) return file;
  auto opened = segments_->OpenShared(slab->segment());
  if (opened) slab->shared = *opened;
  return opened;
}

ObjectRef ObjectTable::Place(const Credentials& creator,
                             const SmallObject& small, int64_t now_ns) {
  auto object = std::make_shared<Object>(
      ObjectInfo{.number = next_number_++,
                 .id = small.id,
                 .state = ObjectState::kSealed,
                 .size_bytes = small.data.size(),
                 .charged_bytes = small.data.size(),
                 .mode = small.mode & 07777,
                 .uid = creator.uid,
                 .gid = creator.gid,
                 .creator_pid = creator.pid,
                 .created_ns = now_ns,
                 .modified_ns = now_ns,
                 .sealed_ns = now_ns,
                 .used_ns = now_ns,
                 .slab = open_slab_->segment(),
                 .offset_bytes = open_slab_->Place(small.data)});
  object->metadata = NoMetadata();
  object->overhead_bytes = kSmallObjectOverheadBytes;
  object->slab = open_slab_;
  return object;
}

uint64_t ObjectTable::PutSmall(const Credentials& creator,
                               std::span<const SmallObject> objects,
                               std::vector<Status>* results) {
  const int64_t now_ns = NowNs();
  std::vector<ObjectRef> placed;
  std::vector<size_t> places;  // Of `placed`, in `results`.
  MutexLock lock(mutex_);
  for (const SmallObject& small : objects) {
    const std::string& id = small.id.text();
    const auto [entry, added] = sealed_.try_emplace(id);
    if (!added || unsealed_.contains(id)) {
      if (added) sealed_.erase(entry);
      results->push_back(Error{Code::kAlreadyExists, "`" + id + "` is taken"});
      continue;
    }
    if (open_slab_ == nullptr || !open_slab_->HasRoom(small.data.size())) {
      sealed_.erase(entry);
      break;
    }
    entry->second = Place(creator, small, now_ns);
    placed.push_back(entry->second);
    places.push_back(results->size());
    results->emplace_back();
  }
  Status failure;
  const size_t committed = CommitPlaced(placed, &failure);
  for (size_t i = committed; i < placed.size(); ++i) {
    (*results)[places[i]] = failure;
  }
  return committed * kSmallObjectOverheadBytes;
}

size_t ObjectTable::CommitPlaced(const std::vector<ObjectRef>& placed,
                                 Status* failure) {
  if (placed.empty()) return 0;
  std::vector<const ObjectInfo*> infos;
  infos.reserve(placed.size());
  for (const ObjectRef& object : placed) infos.push_back(&object->info);
  *failure = journal_.RecordSealed(infos);
  const bool journaled = failure->has_value();
  size_t published = 0;
  while (*failure && published < placed.size()) {
    *failure = Publish(placed[published]);
    if (*failure) ++published;
  }
  for (size_t i = published; i < placed.size(); ++i) {
    if (journaled) (void)journal_.RecordRemoved(placed[i]->number);
    sealed_.erase(placed[i]->info.id.text());
  }
  WakeWaiters(std::span(placed).first(published));
  for (size_t i = 0; i < published; ++i) {
    Notify(ObjectEventKind::kSealed, *placed[i], placed[i]->info.id);
  }
  return published;
}

std::vector<ObjectRef> ObjectTable::SlabVictims(const Slab& slab, size_t most) {
  std::vector<ObjectRef> victims;
  for (const uint32_t slot : slab.slots()) {
    if (victims.size() == most) break;
    const Object* object = sealed_by_slot_[slot];
    if (object == nullptr || object->slab != &slab || object->info.hold) {
      continue;
    }
    victims.push_back(sealed_by_number_.at(object->number));
  }
  return victims;
}

// --- after a restart ---

Result<Slab*> ObjectTable::RestoreSlab(uint64_t segment) {
  const auto known = slabs_.find(segment);
  if (known != slabs_.end()) return known->second.get();
  auto file = segments_->OpenShared(segment);
  if (!file) return file.error();
  auto extent = (*file)->Stat();
  if (!extent) return extent.error();
  auto slab = std::make_unique<Slab>(segment, extent->size_bytes);
  if (Status ok = segments_->MakeReadOnly(segment, true); !ok) {
    return ok.error();
  }
  slab_bytes_ += slab->size_bytes();
  UpdateEvictable(slab.get());
  return slabs_.emplace(segment, std::move(slab)).first->second.get();
}

std::vector<Slab*> ObjectTable::EmptySlabs() const {
  std::vector<Slab*> empty;
  for (const auto& [segment, slab] : slabs_) {
    if (slab->live() == 0) empty.push_back(slab.get());
  }
  return empty;
}

Status ObjectTable::RestoreInSlab(const ObjectRef& object) {
  const ObjectInfo& info = object->info;
  auto slab = RestoreSlab(info.slab);
  if (!slab) return slab.error();
  const uint64_t slab_bytes = (*slab)->size_bytes();
  if (info.offset_bytes > slab_bytes ||
      info.size_bytes > slab_bytes - info.offset_bytes) {
    return Error{Code::kCorruption, "an object beyond the end of its slab"};
  }
  object->overhead_bytes += kSmallObjectOverheadBytes;
  object->slab = *slab;
  return PublishRestored(object);
}

}  // namespace vitrine
