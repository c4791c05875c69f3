#include "store/table/object_table.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "schema/base/wall_clock.h"
#include "store/table/object_errors.h"

namespace vitrine::store {
namespace {

// Numbers are not reused even by a store that starts from nothing: the time of
// the start leaves room for 16 million objects a second.
uint64_t FirstNumber() {
  constexpr int64_t kEpochSeconds = 1'700'000'000;
  const int64_t seconds = NowNs() / 1'000'000'000 - kEpochSeconds;
  return static_cast<uint64_t>(std::max<int64_t>(seconds, 1)) << 24;
}

}  // namespace

ObjectTable::ObjectTable(SegmentDir* segments, ClientRegistry* clients,
                         IndexWriter index, Journal journal,
                         std::unique_ptr<EvictionPolicy> policy)
    : segments_(segments),
      clients_(clients),
      directory_(std::move(index)),
      log_(std::move(journal)),
      evictable_(std::move(policy)),
      residency_(segments),
      slabs_(&residency_, &evictable_),
      next_number_(FirstNumber()) {}

void ObjectTable::AddObserver(Observer* observer) {
  MutexLock lock(mutex_);
  log_.AddObserver(observer);
}

void ObjectTable::RemoveObserver(Observer* observer) {
  MutexLock lock(mutex_);
  log_.RemoveObserver(observer);
}

std::vector<Observer*> ObjectTable::Observers() const {
  MutexLock lock(mutex_);
  return log_.observers();
}

// --- unsealed objects ---

Result<ObjectRef> ObjectTable::Insert(
    const ObjectId& id, const NewObject& options,
    const std::optional<RetiredSegment>& recycled) {
  MutexLock lock(mutex_);
  if (directory_.IsTaken(id.text())) return Taken(id);
  const uint64_t number = next_number_++;
  const Status made = recycled ? segments_->Reinstate(recycled->number, number)
                               : segments_->Create(number);
  if (!made) return made.error();
  const int64_t now_ns = NowNs();
  auto object = std::make_shared<ObjectRecord>(
      ObjectInfo{.number = number,
                 .id = id,
                 .mode = options.mode & 07777,
                 .uid = options.creator.uid,
                 .gid = options.creator.gid,
                 .creator_pid = options.creator.pid,
                 .created_ns = now_ns,
                 .modified_ns = now_ns});
  object->own->metadata = std::make_shared<const Metadata>(options.metadata);
  object->own->overhead_bytes = MetadataCharge(options.metadata);
  if (recycled) {
    object->size_bytes = recycled->size_bytes;
    object->own->charged_bytes = recycled->allocated_bytes;
    object->own->recycled = true;
  }
  directory_.AddUnsealed(object);
  log_.Notify(ObjectEventKind::kCreated, *object, id);
  return object;
}

Status ObjectTable::CheckWritableLocked(const ObjectRecord& object) const {
  if (object.state == ObjectState::kGone) return Gone(object);
  if (!object.writable()) {
    return Error{Code::kNotPermitted,
                 Quoted(object.id.text()) + " is sealed: it never changes"};
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
  ++object->own->pending_changes;
  return object->own->charged_bytes;
}

void ObjectTable::EndChange(const ObjectRef& object) {
  MutexLock lock(mutex_);
  --object->own->pending_changes;
}

uint64_t ObjectTable::RaiseCharge(const ObjectRef& object,
                                  uint64_t charged_bytes) {
  MutexLock lock(mutex_);
  if (!object->writable()) return 0;
  uint64_t& charged = object->own->charged_bytes;
  if (charged_bytes <= charged) return 0;
  return charged_bytes - std::exchange(charged, charged_bytes);
}

Status ObjectTable::BeginWriting(const ObjectRef& object, WriteMode mode) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok;
  ++(mode == WriteMode::kPassthrough ? object->own->passthrough_writers
                                     : object->own->carried_writers);
  return Status();
}

int64_t ObjectTable::EndWriting(const ObjectRef& object, WriteMode mode) {
  MutexLock lock(mutex_);
  --(mode == WriteMode::kPassthrough ? object->own->passthrough_writers
                                     : object->own->carried_writers);
  if (!object->writable() || object->has_writers()) return 0;
  if (Status ok = segments_->TrimToSize(object->number); !ok) {
    spdlog::warn("trimming: {}", ok.error().ToString());
  }
  return residency_.Settle(object.get());
}

void ObjectTable::NoteWritten(const ObjectRef& object, uint64_t end_bytes) {
  MutexLock lock(mutex_);
  if (!object->writable()) return;
  object->size_bytes = std::max(object->size_bytes, end_bytes);
}

Result<int64_t> ObjectTable::SetSize(const ObjectRef& object,
                                     uint64_t size_bytes) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  const uint64_t before = object->size_bytes;
  if (Status ok = segments_->SetSize(object->number, size_bytes); !ok) {
    return ok.error();
  }
  object->size_bytes = size_bytes;
  object->own->recycled &= size_bytes <= before;
  object->own->modified_ns = NowNs();
  const bool settles = size_bytes < before && object->own->pending_changes <= 1;
  return settles ? residency_.Settle(object.get()) : int64_t{0};
}

Result<UniqueFd> ObjectTable::OpenForWriting(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  return segments_->OpenFresh(object->number, O_RDWR);
}

Status ObjectTable::SetMode(const ObjectRef& object, mode_t mode) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok;
  object->mode = static_cast<uint16_t>(mode & 07777);
  return Status();
}

Status ObjectTable::SetOwner(const ObjectRef& object, uid_t uid, gid_t gid) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok;
  object->uid = uid;
  object->gid = gid;
  return Status();
}

Status ObjectTable::SetModified(const ObjectRef& object, int64_t modified_ns) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok;
  object->own->modified_ns = modified_ns;
  return segments_->SetModified(object->number, modified_ns);
}

Result<int64_t> ObjectTable::SetMetadata(const ObjectRef& object,
                                         const std::string& name,
                                         std::optional<std::string> value) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  auto changed = std::make_shared<Metadata>(object->metadata());
  if (value) {
    (*changed)[name] = *std::move(value);
  } else if (changed->erase(name) == 0) {
    return Error{Code::kNotFound, "no metadata `" + name + "`"};
  }
  if (Status ok = CheckMetadata(*changed); !ok) return ok.error();
  const uint64_t charge = MetadataCharge(*changed);
  const uint64_t before = std::exchange(object->own->overhead_bytes, charge);
  object->own->metadata = std::move(changed);
  return static_cast<int64_t>(charge) - static_cast<int64_t>(before);
}

Status ObjectTable::Rename(const ObjectRef& object, const ObjectId& id,
                           bool no_replace, DroppedSegment* replaced) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok;
  const ObjectId old_id = object->id.ToObjectId();
  if (old_id == id) return Status();
  const ObjectRef other = directory_.FindUnsealed(id.text());
  if (directory_.FindSealed(id.text()) != nullptr ||
      (no_replace && other != nullptr)) {
    return Taken(id);
  }
  if (other != nullptr) *replaced = Drop(other, ObjectEventKind::kAborted);
  directory_.RemoveUnsealed(old_id.text());
  object->id = SmallId(id);
  directory_.AddUnsealed(object);
  log_.Notify(ObjectEventKind::kRenamed, *object, old_id);
  return Status();
}

Result<DroppedSegment> ObjectTable::Abort(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  return Drop(object, ObjectEventKind::kAborted);
}

DroppedSegment ObjectTable::Drop(const ObjectRef& object, ObjectEventKind why) {
  if (object->state == ObjectState::kSealed) log_.RecordRemoved({&object, 1});
  return DropRecorded(object, why);
}

DroppedSegment ObjectTable::DropRecorded(const ObjectRef& object,
                                         ObjectEventKind why) {
  const ObjectRef keep_alive = object;
  DroppedSegment dropped;
  if (object->slab == nullptr) dropped = residency_.Take(object.get());
  if (object->state == ObjectState::kSealed) {
    Unpublish(object.get());
  } else {
    directory_.RemoveUnsealed(object->id.text());
  }
  object->state = ObjectState::kGone;
  log_.Notify(why, *object);
  if (object->slab != nullptr) {
    dropped = slabs_.Leave(std::exchange(object->slab, nullptr));
    dropped.charged_bytes += object->overhead_bytes();
  }
  return dropped;
}

// --- sealed objects ---

Result<ObjectRef> ObjectTable::FindSealed(const ObjectId& id) const {
  MutexLock lock(mutex_);
  if (ObjectRef found = directory_.FindSealed(id.text())) return found;
  if (directory_.FindUnsealed(id.text()) != nullptr) {
    return Error{Code::kNotSealed, Quoted(id.text()) + " is being written"};
  }
  return Error{Code::kNotFound, "no object " + Quoted(id.text())};
}

Result<ObjectRef> ObjectTable::FindUnsealed(const ObjectId& id) const {
  MutexLock lock(mutex_);
  if (ObjectRef found = directory_.FindUnsealed(id.text())) return found;
  return Error{Code::kNotFound, "no unsealed object `" + id.text() + "`"};
}

Status ObjectTable::CheckOwnedSealed(const ObjectRecord& object,
                                     const Credentials& who) const {
  if (object.state == ObjectState::kGone) return Gone(object);
  if (object.state != ObjectState::kSealed) {
    return Error{Code::kNotSealed,
                 Quoted(object.id.text()) + " is being written"};
  }
  if (!IsOwner(object.Info(), who)) {
    return Error{Code::kNotPermitted, Quoted(object.id.text()) +
                                          " belongs to user " +
                                          std::to_string(object.uid)};
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
  if (object->hold == hold) return Status();
  if (Status ok = log_.RecordHold(object->number, hold); !ok) return ok;
  object->hold = hold;
  CountHold(*object, hold);
  if (object->slab == nullptr && hold) {
    evictable_.Remove(&object->own->eviction, object->cost_bytes());
  } else if (object->slab == nullptr) {
    evictable_.Add(&object->own->eviction, object->cost_bytes());
  }
  log_.Notify(ObjectEventKind::kHoldChanged, *object);
  return Status();
}

// --- any object ---

ObjectInfo ObjectTable::Info(const ObjectRef& object) {
  MutexLock lock(mutex_);
  residency_.RefreshExtent(object.get());
  return object->Info();
}

std::shared_ptr<const Metadata> ObjectTable::GetMetadata(
    const ObjectRef& object) const {
  MutexLock lock(mutex_);
  return object->in_slab() ? NoMetadata() : object->own->metadata;
}

Result<UniqueFd> ObjectTable::OpenForReading(const ObjectRef& object) const {
  MutexLock lock(mutex_);
  if (object->state == ObjectState::kGone) return Gone(*object);
  return segments_->OpenFresh(object->segment(), O_RDONLY);
}

Result<std::shared_ptr<SegmentFile>> ObjectTable::Share(
    const ObjectRef& object) {
  MutexLock lock(mutex_);
  return residency_.Share(object.get());
}

Result<std::shared_ptr<SegmentFile>> ObjectTable::Lend(
    const ObjectRef& object) {
  MutexLock lock(mutex_);
  // It may be retired by now: too late to say that it must not be.
  if (object->state == ObjectState::kGone) return Gone(*object);
  if (object->own != nullptr) object->own->recyclable = false;
  return residency_.Share(object.get());
}

bool ObjectTable::InUse(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (object->state == ObjectState::kGone) return false;
  if (object->slot != kNoSlot &&
      !clients_->FindPins({directory_.index().PinOf(object->slot)}).empty()) {
    return true;
  }
  return residency_.IsOpen(object.get());
}

std::vector<ListedObject> ObjectTable::Describe(
    std::span<const ObjectRef> objects, ObjectState state) {
  MutexLock lock(mutex_);
  std::unordered_set<uint64_t> wanted;
  wanted.reserve(objects.size());
  for (const ObjectRef& object : objects) {
    if (object->slot != kNoSlot)
      wanted.insert(directory_.index().PinOf(object->slot));
  }
  const auto pins = clients_->FindPins(wanted);
  std::vector<ListedObject> listed;
  listed.reserve(objects.size());
  for (const ObjectRef& object : objects) {
    if (object->state != state) continue;
    residency_.RefreshExtent(object.get());
    const bool pinned = object->slot != kNoSlot &&
                        pins.contains(directory_.index().PinOf(object->slot));
    listed.push_back(
        {object->Info(), pinned || residency_.IsOpen(object.get())});
  }
  return listed;
}

void ObjectTable::TouchLocked(ObjectRecord* object) {
  object->NoteUse(NowNs());
  evictable_.Touch(object->slab != nullptr ? &object->slab->eviction
                                           : &object->own->eviction);
  if (object->uses_changed) return;
  object->uses_changed = true;
  used_.push_back(directory_.InSlot(object->slot));
}

std::string ObjectTable::TellPath(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (object->own != nullptr) object->own->recyclable = false;
  return segments_->PathOf(object->segment());
}

void ObjectTable::Touch(const ObjectRef& object) {
  MutexLock lock(mutex_);
  if (object->state == ObjectState::kSealed) TouchLocked(object.get());
}

// By number.  Sorting what the numbers lead to would be a walk through all of
// the memory.
std::vector<ObjectRef> ObjectTable::List(ObjectState state) const {
  std::vector<std::pair<uint64_t, ObjectRef>> found;
  {
    MutexLock lock(mutex_);
    found = directory_.List(state);
  }
  std::sort(found.begin(), found.end());
  std::vector<ObjectRef> objects;
  objects.reserve(found.size());
  for (auto& [number, object] : found) objects.push_back(std::move(object));
  return objects;
}

bool ObjectTable::ReadSlots(uint64_t* slot, size_t most,
                            std::vector<ObjectInfo>* infos) const {
  MutexLock lock(mutex_);
  const auto& slots = directory_.slots();
  const uint64_t end = std::min<uint64_t>(*slot + most, slots.size());
  for (; *slot < end; ++*slot) {
    const ObjectRef& object = slots[*slot];
    if (object != nullptr) infos->push_back(object->Info());
  }
  return end < slots.size();
}

std::vector<bool> ObjectTable::AreAlive(
    std::span<const KnownObject> objects) const {
  MutexLock lock(mutex_);
  return directory_.AreAlive(objects);
}

// --- housekeeping ---

void ObjectTable::DrainTouches() {
  MutexLock lock(mutex_);
  clients_->DrainTouches([this](uint32_t slot) REQUIRES(mutex_) {
    if (const auto object = directory_.InSlot(slot)) TouchLocked(object.get());
  });
}

std::vector<ObjectInfo> ObjectTable::TakeUses() {
  MutexLock lock(mutex_);
  std::vector<ObjectInfo> infos;
  for (const auto& weak : used_) {
    const ObjectRef object = weak.lock();
    if (object == nullptr) continue;
    object->uses_changed = false;
    if (object->state == ObjectState::kSealed) {
      infos.push_back(object->Info());
    }
  }
  used_.clear();
  return infos;
}

void ObjectTable::RewriteJournalIfWanted() {
  MutexLock lock(mutex_);
  log_.RewriteIfWanted([this](const Journal::Visitor& visit) REQUIRES(mutex_) {
    for (const ObjectRef& object : directory_.slots()) {
      if (object != nullptr) visit(object->Info(), object->metadata());
    }
  });
}

ObjectTable::Numbers ObjectTable::Count() const {
  MutexLock lock(mutex_);
  return {.sealed_objects = directory_.sealed_objects(),
          .sealed_bytes = directory_.sealed_bytes(),
          .held_objects = held_objects_,
          .held_bytes = held_bytes_,
          .unsealed_objects = directory_.unsealed_objects(),
          .unsealed_bytes = directory_.unsealed_bytes(),
          .evicted_objects = evicted_objects_,
          .evicted_bytes = evicted_bytes_,
          .evictable_segments = evictable_.size(),
          .slabs = slabs_.size(),
          .slab_bytes = slabs_.bytes(),
          .slab_objects = slabs_.objects(),
          .moved_objects = moved_objects_,
          .index_bytes = directory_.index().allocated_bytes(),
          .journal_bytes = log_.journal_bytes()};
}

std::pair<size_t, size_t> ObjectTable::CountObjects() const {
  MutexLock lock(mutex_);
  return {directory_.sealed_objects(), directory_.unsealed_objects()};
}

ObjectTable::Victims ObjectTable::CountEvictable() const {
  MutexLock lock(mutex_);
  return {.segments = evictable_.size(), .bytes = evictable_.bytes()};
}

void ObjectTable::CountHold(const ObjectRecord& object, bool hold) {
  const uint64_t one = hold ? 1 : ~uint64_t{0};  // Modulo 2^64: plus or minus.
  held_objects_ += one;
  held_bytes_ += one * object.cost_bytes();
  if (object.slab != nullptr) slabs_.CountHold(object.slab, hold);
}

Result<UniqueFd> ObjectTable::OpenIndex() const {
  MutexLock lock(mutex_);
  return directory_.index().OpenReadOnly();
}

}  // namespace vitrine::store
