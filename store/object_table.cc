#include "store/object_table.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "schema/base/wall_clock.h"

namespace vitrine {
namespace {

// Victims looked at under one hold of the mutex.
constexpr size_t kVictimsPerBatch = 32;
constexpr size_t kSlabVictimsPerBatch = 256;

// Numbers are not reused even by a store that starts from nothing: the time of
// the start leaves room for 16 million objects a second.
uint64_t FirstNumber() {
  constexpr int64_t kEpochSeconds = 1'700'000'000;
  const int64_t seconds = NowNs() / 1'000'000'000 - kEpochSeconds;
  return static_cast<uint64_t>(std::max<int64_t>(seconds, 1)) << 24;
}

uint64_t RoundUp(uint64_t bytes, uint64_t page_bytes) {
  const uint64_t rest = bytes % page_bytes;
  return rest == 0 ? bytes : bytes - rest + page_bytes;
}

constexpr uint64_t kFreeMetadataBytes = 1024;
constexpr uint64_t kMetadataCopies = 4;

bool ReadableByAll(const ObjectInfo& info) { return (info.mode & 0004) != 0; }

Error Gone(const Object& object) {
  return Error{Code::kNotFound, "`" + object.info.id.text() + "` is gone"};
}

}  // namespace

uint64_t MetadataCharge(const Metadata& metadata) {
  uint64_t bytes = 0;
  for (const auto& [name, value] : metadata)
    bytes += name.size() + value.size();
  return bytes <= kFreeMetadataBytes ? 0 : kMetadataCopies * bytes;
}

ObjectTable::ObjectTable(SegmentDir* segments, ClientRegistry* clients,
                         IndexWriter index, Journal journal,
                         std::unique_ptr<EvictionPolicy> policy)
    : segments_(segments),
      clients_(clients),
      index_(std::move(index)),
      journal_(std::move(journal)),
      policy_(std::move(policy)),
      next_number_(FirstNumber()) {}

void ObjectTable::AddObserver(Observer* observer) {
  MutexLock lock(mutex_);
  observers_.push_back(observer);
}

void ObjectTable::RemoveObserver(Observer* observer) {
  MutexLock lock(mutex_);
  std::erase(observers_, observer);
}

std::vector<Observer*> ObjectTable::Observers() const {
  MutexLock lock(mutex_);
  return observers_;
}

void ObjectTable::Notify(ObjectEventKind kind, const Object& object,
                         const ObjectId& old_id) {
  const ObjectEvent event{kind, object.info, old_id};
  for (Observer* observer : observers_) observer->OnEvent(event);
}

// --- unsealed objects ---

Result<ObjectRef> ObjectTable::Insert(const ObjectId& id,
                                      const CreateOptions& options) {
  MutexLock lock(mutex_);
  if (unsealed_.contains(id.text()) || sealed_.contains(id.text())) {
    return Error{Code::kAlreadyExists, "`" + id.text() + "` is taken"};
  }
  const uint64_t number = next_number_++;
  if (Status made = segments_->Create(number); !made) return made.error();
  const int64_t now_ns = NowNs();
  auto object =
      std::make_shared<Object>(ObjectInfo{.number = number,
                                          .id = id,
                                          .mode = options.mode & 07777,
                                          .uid = options.creator.uid,
                                          .gid = options.creator.gid,
                                          .creator_pid = options.creator.pid,
                                          .created_ns = now_ns,
                                          .modified_ns = now_ns});
  object->metadata = std::make_shared<const Metadata>(options.metadata);
  object->overhead_bytes = MetadataCharge(options.metadata);
  unsealed_.emplace(id.text(), object);
  Notify(ObjectEventKind::kCreated, *object, id);
  return object;
}

Status ObjectTable::CheckWritableLocked(const Object& object) const {
  if (object.info.state == ObjectState::kGone) return Gone(object);
  if (!object.writable()) {
    return Error{Code::kNotPermitted,
                 "`" + object.info.id.text() + "` is sealed: it never changes"};
  }
  return Status();
}

Status ObjectTable::CheckWritable(const ObjectRef& object) const {
  MutexLock lock(mutex_);
  return CheckWritableLocked(*object);
}

Result<uint64_t> ObjectTable::BeginChange(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  ++object->pending_changes;
  return object->info.charged_bytes;
}

void ObjectTable::EndChange(const ObjectRef& object) {
  MutexLock lock(mutex_);
  --object->pending_changes;
}

uint64_t ObjectTable::RaiseCharge(const ObjectRef& object,
                                  uint64_t charged_bytes) {
  MutexLock lock(mutex_);
  ObjectInfo& info = object->info;
  if (!object->writable() || charged_bytes <= info.charged_bytes) return 0;
  const uint64_t grown = charged_bytes - info.charged_bytes;
  info.charged_bytes = charged_bytes;
  return grown;
}

Status ObjectTable::BeginWriting(const ObjectRef& object, WriteMode mode) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok;
  ++(mode == WriteMode::kPassthrough ? object->passthrough_writers
                                     : object->carried_writers);
  return Status();
}

int64_t ObjectTable::EndWriting(const ObjectRef& object, WriteMode mode) {
  MutexLock lock(mutex_);
  --(mode == WriteMode::kPassthrough ? object->passthrough_writers
                                     : object->carried_writers);
  if (!object->writable() || object->has_writers()) return 0;
  if (Status ok = segments_->TrimToSize(object->number); !ok) {
    spdlog::warn("trimming: {}", ok.error().ToString());
  }
  return SettleCharge(object.get());
}

void ObjectTable::TakeExtent(const SegmentFile::Extent& extent,
                             ObjectInfo* info) const {
  // hugetlbfs only knows whole huge pages; there we keep count ourselves.
  if (!segments_->is_hugetlbfs()) info->size_bytes = extent.size_bytes;
  info->modified_ns = extent.modified_ns;
}

void ObjectTable::NoteWritten(const ObjectRef& object, uint64_t end_bytes) {
  MutexLock lock(mutex_);
  ObjectInfo& info = object->info;
  if (object->writable())
    info.size_bytes = std::max(info.size_bytes, end_bytes);
}

int64_t ObjectTable::SettleCharge(Object* object) {
  auto file = ShareLocked(object);
  if (!file) return 0;
  auto extent = (*file)->Stat();
  if (!extent) return 0;
  ObjectInfo& info = object->info;
  info.size_bytes =
      segments_->is_hugetlbfs() ? info.size_bytes : extent->size_bytes;
  const uint64_t before =
      std::exchange(info.charged_bytes, extent->allocated_bytes);
  return static_cast<int64_t>(before) -
         static_cast<int64_t>(info.charged_bytes);
}

Result<int64_t> ObjectTable::SetSize(const ObjectRef& object,
                                     uint64_t size_bytes) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  const uint64_t before = object->info.size_bytes;
  if (Status ok = segments_->SetSize(object->number, size_bytes); !ok) {
    return ok.error();
  }
  object->info.size_bytes = size_bytes;
  object->info.modified_ns = NowNs();
  const bool settles = size_bytes < before && object->pending_changes <= 1;
  return settles ? SettleCharge(object.get()) : int64_t{0};
}

Result<UniqueFd> ObjectTable::OpenForWriting(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  return segments_->OpenFresh(object->number, O_RDWR);
}

Status ObjectTable::Amend(const ObjectRef& object,
                          const std::function<void(ObjectInfo*)>& change) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok;
  change(&object->info);
  return Status();
}

Status ObjectTable::SetModified(const ObjectRef& object, int64_t modified_ns) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok;
  object->info.modified_ns = modified_ns;
  return segments_->SetModified(object->number, modified_ns);
}

Result<int64_t> ObjectTable::SetMetadata(const ObjectRef& object,
                                         const std::string& name,
                                         std::optional<std::string> value) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  auto changed = std::make_shared<Metadata>(*object->metadata);
  if (value) {
    (*changed)[name] = *std::move(value);
  } else if (changed->erase(name) == 0) {
    return Error{Code::kNotFound, "no metadata `" + name + "`"};
  }
  if (Status ok = CheckMetadata(*changed); !ok) return ok.error();
  const uint64_t charge = MetadataCharge(*changed);
  const uint64_t before = std::exchange(object->overhead_bytes, charge);
  object->metadata = std::move(changed);
  return static_cast<int64_t>(charge) - static_cast<int64_t>(before);
}

Status ObjectTable::Rename(const ObjectRef& object, const ObjectId& id,
                           bool no_replace, DroppedSegment* replaced) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok;
  const ObjectId old_id = object->info.id;
  if (old_id == id) return Status();
  auto other = unsealed_.find(id.text());
  if (sealed_.contains(id.text()) || (no_replace && other != unsealed_.end())) {
    return Error{Code::kAlreadyExists, "`" + id.text() + "` is taken"};
  }
  if (other != unsealed_.end()) {
    const ObjectRef victim = other->second;
    *replaced = Drop(victim, ObjectEventKind::kAborted);
  }
  unsealed_.erase(old_id.text());
  object->info.id = id;
  unsealed_.emplace(id.text(), object);
  Notify(ObjectEventKind::kRenamed, *object, old_id);
  return Status();
}

Status ObjectTable::CheckNobodyWrites(Object* object) {
  if (object->has_writers()) {
    return Error{Code::kInUse, "a writer has it open"};
  }
  auto file = ShareLocked(object);
  if (!file) return file.error();
  auto nobody_writes = (*file)->NobodyWrites();
  if (!nobody_writes) return nobody_writes.error();
  if (!*nobody_writes) {
    return Error{Code::kInUse, "somebody has it open or mapped for writing"};
  }
  return Status();
}

Status ObjectTable::Publish(const ObjectRef& object) {
  const ObjectInfo& info = object->info;
  uint32_t flags = ReadableByAll(info) ? kSlotReadableByAll : 0;
  if (!object->metadata->empty()) flags |= kSlotHasMetadata;
  auto slot = index_.Publish(info.id, {.segment = info.segment(),
                                       .offset = info.offset_bytes,
                                       .size_bytes = info.size_bytes,
                                       .flags = flags});
  if (!slot) return slot.error();
  object->slot = *slot;
  if (sealed_by_slot_.size() <= *slot) sealed_by_slot_.resize(*slot + 1);
  sealed_by_slot_[*slot] = object.get();
  sealed_by_number_.emplace(object->number, object);
  sealed_bytes_ += object->cost_bytes();
  if (info.hold) CountHold(*object, true);
  if (object->slab != nullptr) {
    object->slab->Add(*slot);
    ++slab_objects_;
  } else if (!info.hold) {
    MakeEvictable(object->number, object->cost_bytes());
  }
  return Status();
}

void ObjectTable::Unpublish(const Object& object) {
  index_.Remove(object.slot);
  sealed_by_slot_[object.slot] = nullptr;
  sealed_bytes_ -= object.cost_bytes();
  if (object.info.hold) CountHold(object, false);
  if (object.slab != nullptr) {
    object.slab->Remove();
    --slab_objects_;
  } else if (!object.info.hold) {
    MakeUnevictable(object.number, object.cost_bytes());
  }
  // A record that outlives its segment is ignored by the next Restore.
  if (Status ok = journal_.RecordRemoved(object.number); !ok) {
    spdlog::warn("journal: {}", ok.error().ToString());
  }
  sealed_.erase(object.info.id.text());
  sealed_by_number_.erase(object.number);
}

Status ObjectTable::CommitSeal(const ObjectRef& object) {
  Status recorded = journal_.RecordSealed(object->info, *object->metadata);
  if (!recorded) return recorded;
  Status published = Publish(object);
  if (!published) {
    (void)journal_.RecordRemoved(object->number);
    return published;
  }
  sealed_.emplace(object->info.id.text(), object);
  // Too late to fail, and Restore does it again; until it is done, clients
  // ask for a descriptor instead of opening the segment by name.
  if (Status ok =
          segments_->MakeReadOnly(object->number, ReadableByAll(object->info));
      !ok) {
    spdlog::error("sealing: {}", ok.error().ToString());
  }
  WakeWaiters({&object, 1});
  return Status();
}

void ObjectTable::WakeWaiters(std::span<const ObjectRef> published) {
  const uint64_t awaited = clients_->AwaitedBuckets();
  if (awaited == 0) return;
  for (const ObjectRef& object : published) {
    index_.WakeWaiters(object->slot, awaited);
  }
}

Status ObjectTable::FillHoles(const Object& object, uint64_t most_bytes) const {
  const uint64_t size_bytes = object.info.size_bytes;
  if (size_bytes > most_bytes) {
    return Error{Code::kTooLarge,
                 std::to_string(size_bytes) +
                     " bytes with the holes are more than the capacity"};
  }
  return segments_->Reserve(object.number, 0, size_bytes);
}

Result<int64_t> ObjectTable::Seal(const ObjectRef& object, const ObjectId& id,
                                  uint64_t most_bytes) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  if (sealed_.contains(id.text())) {
    return Error{Code::kAlreadyExists, "`" + id.text() + "` is taken"};
  }
  const auto file = ShareLocked(object.get());  // One for all that follows.
  if (Status ok = CheckNobodyWrites(object.get()); !ok) return ok.error();
  if (Status ok = segments_->TrimToSize(object->number); !ok) {
    return ok.error();
  }
  const ObjectInfo before = object->info;
  int64_t freed = SettleCharge(object.get());
  if (object->info.charged_bytes < object->info.size_bytes) {
    if (Status ok = FillHoles(*object, most_bytes); !ok) {
      object->info = before;
      return ok.error();
    }
    freed += SettleCharge(object.get());
  }
  object->info.id = id;
  object->info.state = ObjectState::kSealed;
  object->info.sealed_ns = object->info.used_ns = NowNs();
  if (Status ok = CommitSeal(object); !ok) {
    object->info = before;
    return ok.error();
  }
  unsealed_.erase(before.id.text());
  Notify(ObjectEventKind::kSealed, *object, before.id);
  return freed;
}

Result<DroppedSegment> ObjectTable::Abort(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  return Drop(object, ObjectEventKind::kAborted);
}

DroppedSegment ObjectTable::TakeSegment(Object* object) {
  DroppedSegment dropped{.number = object->number,
                         .charged_bytes = object->cost_bytes()};
  if (auto file = ShareLocked(object)) dropped.file = *file;
  if (Status ok = segments_->Unlink(object->number); !ok) {
    spdlog::error("unlink: {}", ok.error().ToString());
  }
  return dropped;
}

DroppedSegment ObjectTable::Drop(const ObjectRef& object, ObjectEventKind why) {
  const ObjectRef keep_alive = object;
  ObjectInfo& info = object->info;
  DroppedSegment dropped;
  if (object->slab == nullptr) dropped = TakeSegment(object.get());
  if (info.state == ObjectState::kSealed) {
    Unpublish(*object);
  } else {
    unsealed_.erase(info.id.text());
  }
  if (object->slab != nullptr) {
    dropped = LeaveSlab(std::exchange(object->slab, nullptr));
    dropped.charged_bytes += object->overhead_bytes;
  }
  info.state = ObjectState::kGone;
  info.charged_bytes = 0;
  object->overhead_bytes = 0;
  Notify(why, *object, info.id);
  return dropped;
}

// --- sealed objects ---

Result<ObjectRef> ObjectTable::FindSealed(const ObjectId& id) const {
  MutexLock lock(mutex_);
  auto found = sealed_.find(id.text());
  if (found != sealed_.end()) return found->second;
  if (unsealed_.contains(id.text())) {
    return Error{Code::kNotSealed, "`" + id.text() + "` is being written"};
  }
  return Error{Code::kNotFound, "no object `" + id.text() + "`"};
}

Result<ObjectRef> ObjectTable::FindUnsealed(const ObjectId& id) const {
  MutexLock lock(mutex_);
  auto found = unsealed_.find(id.text());
  if (found != unsealed_.end()) return found->second;
  return Error{Code::kNotFound, "no unsealed object `" + id.text() + "`"};
}

Status ObjectTable::CheckOwnedSealed(const Object& object,
                                     const Credentials& who) const {
  if (object.info.state == ObjectState::kGone) return Gone(object);
  if (object.info.state != ObjectState::kSealed) {
    return Error{Code::kNotSealed,
                 "`" + object.info.id.text() + "` is being written"};
  }
  if (!IsOwner(object.info, who)) {
    return Error{Code::kNotPermitted, "`" + object.info.id.text() +
                                          "` belongs to user " +
                                          std::to_string(object.info.uid)};
  }
  return Status();
}

Result<DroppedSegment> ObjectTable::Delete(const ObjectRef& object,
                                           const Credentials& who) {
  MutexLock lock(mutex_);
  if (Status ok = CheckOwnedSealed(*object, who); !ok) return ok.error();
  return Drop(object, ObjectEventKind::kDeleted);
}

Status ObjectTable::SetHold(const ObjectRef& object, bool hold,
                            const Credentials& who) {
  MutexLock lock(mutex_);
  if (Status ok = CheckOwnedSealed(*object, who); !ok) return ok;
  if (object->info.hold == hold) return Status();
  if (Status ok = journal_.RecordHold(object->number, hold); !ok) return ok;
  object->info.hold = hold;
  CountHold(*object, hold);
  if (object->slab == nullptr && hold) {
    MakeUnevictable(object->number, object->cost_bytes());
  } else if (object->slab == nullptr) {
    MakeEvictable(object->number, object->cost_bytes());
  }
  Notify(ObjectEventKind::kHoldChanged, *object, object->info.id);
  return Status();
}

std::vector<ObjectTable::Victim> ObjectTable::MarkVictims(uint64_t bytes) {
  std::vector<Victim> victims;
  uint64_t marked_bytes = 0;
  policy_->Visit([&](uint64_t segment) REQUIRES(mutex_) {
    Victim& victim = victims.emplace_back(MakeVictim(segment));
    marked_bytes += victim.bytes;
    return victim.slab == nullptr && victims.size() < kVictimsPerBatch &&
           marked_bytes < bytes;
  });
  for (const Victim& victim : victims) {
    for (const ObjectRef& object : victim.objects) {
      index_.MarkEvicting(object->slot);
    }
  }
  return victims;
}

ObjectTable::Victim ObjectTable::MakeVictim(uint64_t segment) {
  const auto object = sealed_by_number_.find(segment);
  if (object != sealed_by_number_.end()) {
    return {.segment = segment,
            .bytes = object->second->cost_bytes(),
            .objects = {object->second}};
  }
  Slab* const slab = slabs_.at(segment).get();
  return {.segment = segment,
          .bytes = slab->size_bytes(),
          .slab = slab,
          .objects = SlabVictims(*slab, kSlabVictimsPerBatch)};
}

// The description that says so keeps its lease while the caller has it.
std::shared_ptr<SegmentFile> ObjectTable::LeaseVictim(const Victim& victim,
                                                      Batch* batch) {
  const auto& shared =
      victim.slab != nullptr ? victim.slab->shared : victim.objects[0]->shared;
  if (shared.use_count() > 0) {
    ++batch->opened;
    return nullptr;
  }
  auto file = victim.slab != nullptr ? ShareSlabLocked(victim.slab)
                                     : ShareLocked(victim.objects[0].get());
  if (!file) {
    spdlog::error("eviction: {}", file.error().ToString());
    return nullptr;
  }
  auto alone = (*file)->LeaseAlone();
  if (alone && *alone) return *file;
  batch->busy.push_back(victim.segment);
  return nullptr;
}

bool ObjectTable::AnyPinned(const std::vector<ObjectRef>& objects,
                            const std::unordered_set<uint64_t>& pins) const {
  return std::any_of(objects.begin(), objects.end(),
                     [&](const ObjectRef& object) REQUIRES(mutex_) {
                       return pins.contains(index_.PinOf(object->slot));
                     });
}

bool ObjectTable::EvictVictim(const Victim& victim,
                              const std::unordered_set<uint64_t>& pins,
                              Batch* batch) {
  // A slab goes as a whole.
  if (AnyPinned(victim.objects, pins)) return false;
  const auto file = LeaseVictim(victim, batch);
  if (file == nullptr) return false;
  for (const ObjectRef& object : victim.objects) {
    ++batch->evicted;
    ++evicted_objects_;
    evicted_bytes_ += object->cost_bytes();
    DroppedSegment dropped = Drop(object, ObjectEventKind::kEvicted);
    batch->dropped_bytes += dropped.charged_bytes;
    batch->dropped.push_back(std::move(dropped));
  }
  return !victim.objects.empty();
}

ObjectTable::Batch ObjectTable::EvictBatch(uint64_t bytes) {
  MutexLock lock(mutex_);
  Batch batch;
  if (policy_->size() == 0) {
    DroppedSegment empty = CloseSlab();
    batch.dropped_bytes += empty.charged_bytes;
    if (empty.number != 0) batch.dropped.push_back(std::move(empty));
  }
  batch.evictable = policy_->size();
  const std::vector<Victim> victims = MarkVictims(bytes);
  std::unordered_set<uint64_t> wanted;
  for (const Victim& victim : victims) {
    for (const ObjectRef& object : victim.objects) {
      wanted.insert(index_.PinOf(object->slot));
    }
  }
  const auto pins = clients_->FindPins(wanted);
  for (const Victim& victim : victims) {
    const bool enough = batch.dropped_bytes >= bytes;
    if (!enough) ++batch.examined;
    const bool evicted = !enough && EvictVictim(victim, pins, &batch);
    for (const ObjectRef& object : victim.objects) {
      if (object->info.state == ObjectState::kSealed) {
        index_.Unmark(object->slot);
      }
    }
    // Whoever has it is using it now.
    if (!enough && !evicted) policy_->Touch(victim.segment);
  }
  return batch;
}

// --- any object ---

ObjectInfo ObjectTable::Info(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (object->writable()) {
    if (auto file = ShareLocked(object.get())) {
      if (auto extent = (*file)->Stat()) TakeExtent(*extent, &object->info);
    }
  }
  return object->info;
}

std::shared_ptr<const Metadata> ObjectTable::GetMetadata(
    const ObjectRef& object) const {
  MutexLock lock(mutex_);
  return object->metadata;
}

Result<UniqueFd> ObjectTable::OpenForReading(const ObjectRef& object) const {
  MutexLock lock(mutex_);
  if (object->info.state == ObjectState::kGone) return Gone(*object);
  return segments_->OpenFresh(object->info.segment(), O_RDONLY);
}

Result<std::shared_ptr<SegmentFile>> ObjectTable::ShareLocked(Object* object) {
  if (object->slab != nullptr) return ShareSlabLocked(object->slab);
  if (auto file = object->shared.lock()) return file;
  if (object->info.state == ObjectState::kGone) return Gone(*object);
  auto opened = segments_->OpenShared(object->number);
  if (opened) object->shared = *opened;
  return opened;
}

Result<std::shared_ptr<SegmentFile>> ObjectTable::Share(
    const ObjectRef& object) {
  MutexLock lock(mutex_);
  return ShareLocked(object.get());
}

bool ObjectTable::InUse(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (object->info.state == ObjectState::kGone) return false;
  if (object->has_writers() || object->shared.use_count() > 0) return true;
  if (object->slot != kNoSlot &&
      !clients_->FindPins({index_.PinOf(object->slot)}).empty()) {
    return true;
  }
  // Whoever has a slab mapped may read any of its objects, or none.
  if (object->slab != nullptr) return object->slab->shared.use_count() > 0;
  auto file = ShareLocked(object.get());
  if (!file) return false;
  auto alone = (*file)->LeaseAlone();
  (*file)->Unlease();
  return alone && !*alone;
}

void ObjectTable::TouchLocked(Object* object) {
  ++object->info.use_count;
  object->info.used_ns = NowNs();
  policy_->Touch(object->info.segment());
  if (!std::exchange(object->uses_changed, true)) {
    used_.push_back(sealed_by_number_.at(object->number));
  }
}

void ObjectTable::Touch(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (object->info.state == ObjectState::kSealed) TouchLocked(object.get());
}

std::vector<ObjectRef> ObjectTable::List(ObjectState state) const {
  std::vector<ObjectRef> objects;
  {
    MutexLock lock(mutex_);
    const Map& map = state == ObjectState::kSealed ? sealed_ : unsealed_;
    objects.reserve(map.size());
    for (const auto& [id, object] : map) objects.push_back(object);
  }
  std::sort(objects.begin(), objects.end(),
            [](const ObjectRef& left, const ObjectRef& right) {
              return left->number < right->number;
            });
  return objects;
}

// --- housekeeping ---

void ObjectTable::DrainTouches() {
  MutexLock lock(mutex_);
  clients_->DrainTouches([this](uint32_t slot) REQUIRES(mutex_) {
    if (slot >= sealed_by_slot_.size()) return;
    if (Object* object = sealed_by_slot_[slot]) TouchLocked(object);
  });
}

std::vector<ObjectInfo> ObjectTable::TakeUses() {
  MutexLock lock(mutex_);
  std::vector<ObjectInfo> infos;
  for (const auto& weak : used_) {
    const ObjectRef object = weak.lock();
    if (object == nullptr) continue;
    object->uses_changed = false;
    if (object->info.state == ObjectState::kSealed) {
      infos.push_back(object->info);
    }
  }
  used_.clear();
  return infos;
}

void ObjectTable::RewriteJournalIfWanted() {
  MutexLock lock(mutex_);
  if (!journal_.WantsRewrite()) return;
  Status rewritten =
      journal_.Rewrite([this](const Journal::Visitor& visit) REQUIRES(mutex_) {
        for (const auto& [number, object] : sealed_by_number_) {
          visit(object->info, *object->metadata);
        }
      });
  if (!rewritten) spdlog::warn("journal: {}", rewritten.error().ToString());
}

ObjectTable::Numbers ObjectTable::Count() const {
  MutexLock lock(mutex_);
  Numbers numbers{.sealed_objects = sealed_.size(),
                  .unsealed_objects = unsealed_.size(),
                  .evicted_objects = evicted_objects_,
                  .evicted_bytes = evicted_bytes_,
                  .evictable_segments = policy_->size(),
                  .slabs = slabs_.size(),
                  .slab_bytes = slab_bytes_,
                  .slab_objects = slab_objects_,
                  .index_bytes = index_.allocated_bytes(),
                  .journal_bytes = journal_.size_bytes()};
  numbers.sealed_bytes = sealed_bytes_;
  numbers.held_objects = held_objects_;
  numbers.held_bytes = held_bytes_;
  for (const auto& [id, object] : unsealed_) {
    numbers.unsealed_bytes += object->cost_bytes();
  }
  return numbers;
}

std::pair<size_t, size_t> ObjectTable::CountObjects() const {
  MutexLock lock(mutex_);
  return {sealed_.size(), unsealed_.size()};
}

ObjectTable::Victims ObjectTable::CountEvictable() const {
  MutexLock lock(mutex_);
  return {.segments = policy_->size(), .bytes = evictable_bytes_};
}

void ObjectTable::MakeEvictable(uint64_t segment, uint64_t bytes) {
  policy_->Add(segment);
  evictable_bytes_ += bytes;
}

void ObjectTable::MakeUnevictable(uint64_t segment, uint64_t bytes) {
  policy_->Remove(segment);
  evictable_bytes_ -= bytes;
}

void ObjectTable::CountHold(const Object& object, bool hold) {
  const uint64_t one = hold ? 1 : ~uint64_t{0};  // Modulo 2^64: plus or minus.
  held_objects_ += one;
  held_bytes_ += one * object.cost_bytes();
  if (object.slab == nullptr) return;
  object.slab->held += one;
  UpdateEvictable(object.slab);
}

Result<UniqueFd> ObjectTable::OpenIndex() const {
  MutexLock lock(mutex_);
  return index_.OpenReadOnly();
}

// --- after a restart ---

Status ObjectTable::RestoreOne(const JournaledObject& journaled) {
  auto object = std::make_shared<Object>(journaled.info);
  object->info.state = ObjectState::kSealed;
  object->metadata = std::make_shared<const Metadata>(journaled.metadata);
  object->overhead_bytes = MetadataCharge(journaled.metadata);
  if (object->info.in_slab()) return RestoreInSlab(object);
  auto file = ShareLocked(object.get());
  if (!file) return file.error();
  auto extent = (*file)->Stat();
  if (!extent) return extent.error();
  if (extent->size_bytes !=
      (segments_->is_hugetlbfs()
           ? RoundUp(journaled.info.size_bytes, segments_->page_bytes())
           : journaled.info.size_bytes)) {
    return Error{Code::kCorruption, "segment of another size"};
  }
  object->info.charged_bytes = extent->allocated_bytes;
  if (Status ok =
          segments_->MakeReadOnly(object->number, ReadableByAll(object->info));
      !ok) {
    return ok;
  }
  return PublishRestored(object);
}

Status ObjectTable::PublishRestored(const ObjectRef& object) {
  Status published = Publish(object);
  if (published) sealed_.emplace(object->info.id.text(), object);
  return published;
}

Result<std::vector<ObjectInfo>> ObjectTable::Restore(
    const std::map<uint64_t, JournaledObject>& journaled) {
  MutexLock lock(mutex_);
  auto segments = segments_->ListAll();
  if (!segments) return segments.error();
  std::unordered_set<uint64_t> wanted;
  for (const auto& [number, object] : journaled) {
    wanted.insert(object.info.segment());
  }
  for (uint64_t number : *segments) {
    next_number_ = std::max(next_number_, number + 1);
    if (wanted.contains(number)) continue;
    if (Status ok = segments_->Unlink(number); !ok) return ok.error();
  }
  std::vector<const JournaledObject*> by_use;
  by_use.reserve(journaled.size());
  for (const auto& [number, object] : journaled) by_use.push_back(&object);
  std::sort(by_use.begin(), by_use.end(), [](const auto* a, const auto* b) {
    return a->info.used_ns < b->info.used_ns;
  });
  std::vector<ObjectInfo> live;
  for (const JournaledObject* object : by_use) {
    next_number_ = std::max(next_number_, object->info.number + 1);
    if (Status ok = RestoreOne(*object); ok) {
      live.push_back(sealed_by_number_.at(object->info.number)->info);
    } else if (ok.error().code != Code::kNotFound &&
               ok.error().code != Code::kCorruption) {
      return ok.error();  // No memory, no descriptor: it may be had later.
    } else {
      // Its removal was under way, or somebody deleted its file.
      spdlog::warn("not restored: `{}`: {}", object->info.id.text(),
                   ok.error().ToString());
      (void)journal_.RecordRemoved(object->info.number);
      if (!object->info.in_slab()) {
        (void)segments_->Unlink(object->info.number);
      }
    }
  }
  for (Slab* slab : EmptySlabs()) (void)DropSlab(slab);
  return live;
}

}  // namespace vitrine
