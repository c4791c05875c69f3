#include "store/table/slab_ops.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "schema/base/wall_clock.h"
#include "store/table/object_errors.h"

namespace vitrine::store {
namespace {

Status MakeSegment(SegmentDir* segments, uint64_t segment,
                   uint64_t size_bytes) {
  if (Status ok = segments->Create(segment); !ok) return ok;
  if (Status ok = segments->SetSize(segment, size_bytes); !ok) return ok;
  return segments->Reserve(segment, 0, size_bytes);
}

// Storing beyond a file's end ends the process.
Status CheckSize(int fd, uint64_t size_bytes) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat segment", errno);
  if (static_cast<uint64_t>(info.st_size) == size_bytes) return Status();
  return Error{Code::kCorruption, "a slab of " + std::to_string(info.st_size) +
                                      " bytes instead of " +
                                      std::to_string(size_bytes)};
}

// Makes a segment of `size_bytes` that everybody may read, and maps it.
Result<Mapping> MakeSlab(SegmentDir* segments, uint64_t segment,
                         uint64_t size_bytes,
                         const std::optional<RetiredSegment>& recycled) {
  const Status made = recycled ? segments->Reinstate(recycled->number, segment)
                               : MakeSegment(segments, segment, size_bytes);
  if (!made) return made.error();
  auto fd = segments->OpenFresh(segment, O_RDWR);
  if (!fd) return fd.error();
  if (Status ok = CheckSize(fd->get(), size_bytes); !ok) return ok.error();
  if (Status ok = segments->MakeReadOnly(segment, true); !ok) return ok.error();
  return Mapping::Map(fd->get(), size_bytes, PROT_READ | PROT_WRITE);
}

uint64_t CostOf(const SmallObject& small) {
  return small.data.size() + SmallObjectOverheadBytes(small.id.text().size()) +
         SmallMetadataCharge(MetadataOf(small.metadata));
}

Amounts CostOfSmall(uint64_t objects, uint64_t bytes) {
  Amounts amounts = OnlyOf(Resource::kMemory, bytes);
  AmountOf(amounts, Resource::kObjects) = objects;
  return amounts;
}

// What the creator of a batch may have: one look at the accounts for all of it.
class Allowance {
 public:
  Allowance(const Accounts* accounts, const Payer& payer)
      : accounts_(accounts), payer_(payer), room_(accounts->RoomOf(payer)) {}

  // kOverQuota: not this one, too.
  Status Take(const SmallObject& small) {
    const uint64_t bytes = bytes_ + CostOf(small);
    if (bytes > AmountOf(room_, Resource::kMemory) ||
        objects_ + 1 > AmountOf(room_, Resource::kObjects)) {
      const Amounts all = CostOfSmall(objects_ + 1, bytes);
      if (Status ok = accounts_->Check(payer_, all); !ok) return ok;
    }
    bytes_ = bytes;
    ++objects_;
    return Status();
  }

 private:
  const Accounts* const accounts_;
  const Payer payer_;
  const Amounts room_;
  uint64_t objects_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace

Result<DroppedSegment> SlabOps::OpenSlab(
    uint64_t size_bytes, const std::optional<RetiredSegment>& recycled) {
  const uint64_t segment = table_->NewNumber();
  auto memory = MakeSlab(table_->segments, segment, size_bytes, recycled);
  if (!memory) {
    (void)table_->segments->Unlink(segment);  // It may not have come that far.
    return memory.error();
  }
  auto slab = std::make_unique<Slab>(segment, std::move(*memory));
  MutexLock lock(table_->mutex);
  return table_->slabs.Open(std::move(slab));
}

bool SlabOps::HasRoom(uint64_t bytes) const {
  MutexLock lock(table_->mutex);
  return table_->slabs.HasRoom(bytes);
}

DroppedSegment SlabOps::CloseIdleSlab() {
  MutexLock lock(table_->mutex);
  return table_->slabs.CloseIdle();
}

ObjectRef SlabOps::Place(const Credentials& creator, const SmallObject& small,
                         int64_t now_ns) {
  auto object = MakeSmallRecord(
      ObjectInfo{
          .number = table_->next_number++,
          .id = small.id,
          .state = ObjectState::kSealed,
          .size_bytes = small.data.size(),
          .mode = small.mode & 07777,
          .uid = creator.uid,
          .gid = creator.gid,
          .creator_pid = creator.pid,
          .sealed_ns = now_ns,
          .used_ns = now_ns,
          .slab = table_->slabs.open()->segment(),
          .offset_bytes = table_->slabs.open()->Place(
              small.data, SmallMetadataCharge(MetadataOf(small.metadata)))},
      small.metadata);
  object->slab = table_->slabs.open();
  return object;
}

uint64_t SlabOps::PutSmall(const Credentials& creator,
                           std::span<const SmallObject> objects,
                           std::vector<Status>* results) {
  const int64_t now_ns = NowNs();
  const Payer payer = PayerOf(creator);
  std::vector<ObjectRef> placed;
  std::vector<size_t> places;  // Of `placed`, in `results`.
  std::unordered_set<std::string_view> ids;
  PendingWakes wakes;
  MutexLock lock(table_->mutex);
  Allowance allowance(table_->accounts, payer);
  for (const SmallObject& small : objects) {
    const std::string& id = small.id.text();
    if (table_->directory.IsTaken(id) || ids.contains(id)) {
      results->push_back(Taken(small.id));
      continue;
    }
    if (Status may = allowance.Take(small); !may) {
      results->push_back(std::move(may));
      continue;
    }
    if (!table_->slabs.HasRoom(small.data.size())) break;
    placed.push_back(Place(creator, small, now_ns));
    places.push_back(results->size());
    results->emplace_back();
    if (objects.size() > 1) ids.insert(id);
  }
  Status failure;
  const size_t committed = CommitPlaced(placed, &wakes, &failure);
  for (size_t i = committed; i < placed.size(); ++i) {
    (*results)[places[i]] = failure;
  }
  return Charge(payer, std::span(placed).first(committed));
}

uint64_t SlabOps::Charge(const Payer& payer,
                         std::span<const ObjectRef> objects) {
  uint64_t overhead_bytes = 0;
  uint64_t bytes = 0;
  for (const ObjectRef& object : objects) {
    overhead_bytes += object->overhead_bytes();
    bytes += object->charged_bytes();
  }
  table_->accounts->ForceCharge(
      payer, CostOfSmall(objects.size(), bytes + overhead_bytes));
  return overhead_bytes;
}

size_t SlabOps::CommitPlaced(const std::vector<ObjectRef>& placed,
                             PendingWakes* wakes, Status* failure) {
  if (placed.empty()) return 0;
  std::vector<JournaledObject> records;
  records.reserve(placed.size());
  for (const ObjectRef& object : placed) {
    records.push_back(object->Journaled());
  }
  *failure = table_->log.RecordSealedInSlabs(records);
  const bool journaled = failure->has_value();
  size_t published = 0;
  while (*failure && published < placed.size()) {
    *failure = table_->Publish(placed[published]);
    if (*failure) ++published;
  }
  if (journaled && published < placed.size()) {
    table_->log.RecordRemoved(std::span(placed).subspan(published));
  }
  table_->NoteWaiters(std::span(placed).first(published), wakes);
  for (size_t i = 0; i < published; ++i) {
    const ObjectInfo& info = records[i].info;
    table_->log.Tell({ObjectEventKind::kSealed, info, info.id});
  }
  return published;
}

DroppedSegment SlabOps::CloseOpenSlab() {
  MutexLock lock(table_->mutex);
  return table_->slabs.Close();
}

}  // namespace vitrine::store
