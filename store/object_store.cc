#include "store/object_store.h"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "store/index/index_writer.h"
#include "store/journal/journal.h"
#include "store/table/table_walk.h"

namespace vitrine::store {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kWorkers = 2;
// A slab is a huge page where the store is large enough.
constexpr uint64_t kMostSlabBytes = 2 << 20;
constexpr uint64_t kLeastSlabBytes = 64 << 10;
constexpr uint64_t kLeastSlabs = 64;
constexpr uint64_t kDefaultPoolPart = 8;
// Sparse slabs of which nothing could be moved, until the next round.
constexpr int kCompactionsInVain = 8;
// Each moves a quarter of a megabyte: the housekeeper has other work, too.
constexpr int kCompactionsPerRound = 256;
// What a passthrough writer may write before the evictor reacts.
constexpr uint64_t kRunwayBytes = 64 << 20;
// An eviction takes some 15 us; a writer, 4 GB/s.
constexpr uint64_t kQuickVictimBytes = 64 << 10;

// Free space that the evictor keeps: enough for a burst, too little to miss.
uint64_t LowWater(uint64_t capacity_bytes) {
  return std::min<uint64_t>(capacity_bytes / 64, 128 << 20);
}

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  auto store = ObjectStore::Open(options);
  if (!store) return store.error();
  return std::unique_ptr<Store>(*std::move(store));
}

Result<std::unique_ptr<ObjectStore>> ObjectStore::Open(
    const StoreOptions& options) {
  auto lock = LockFile::Acquire(options.state_dir);
  if (!lock) return lock.error();
  auto numa = NumaPolicy::Make(options.numa);
  if (!numa) return numa.error();
  auto place = MemoryPlace::Prepare(options);
  if (!place) return place.error();
  auto segments =
      SegmentDir::Open((*place)->segments_dir(), (*place)->retired_dir());
  if (!segments) return segments.error();
  segments->SetNumaPolicy(*numa);
  if ((*place)->huge_pages()) segments->UseHugePages();
  std::unique_ptr<ObjectStore> store(new ObjectStore(
      options, *std::move(lock), *std::move(place), *std::move(segments)));
  if (Status ok = store->Start(); !ok) return ok.error();
  return store;
}

ObjectStore::ObjectStore(StoreOptions options, LockFile lock,
                         std::unique_ptr<MemoryPlace> place,
                         SegmentDir segments)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      place_(std::move(place)),
      segments_(std::move(segments)) {}

Status ObjectStore::Start() {
  auto catalog = Catalog::Open(options_.state_dir);
  if (!catalog) return catalog.error();
  catalog_ = *std::move(catalog);
  auto index = IndexWriter::Create(place_->control_dir() + "/index");
  if (!index) return index.error();
  std::vector<JournaledObject> journaled;
  auto journal = Journal::Open(place_->control_dir() + "/journal", &journaled);
  if (!journal) return journal.error();
  table_ =
      std::make_unique<ObjectTable>(&segments_, &clients_, *std::move(index),
                                    *std::move(journal), MakeLruPolicy());
  const uint64_t capacity = place_->capacity_bytes();
  budget_ = std::make_unique<MemoryBudget>(capacity, LowWater(capacity));
  if (Status ok = Restore(journaled); !ok) return ok;
  // With many objects that was as much as all that is kept of them.
  journaled = {};
  ::malloc_trim(0);
  SetUpSlabs();
  SetUpPool();
  orphans_ = std::make_unique<Orphans>(budget_.get(), pool_.get());
  housekeeper_ = std::make_unique<Housekeeper>(
      table_.get(), &segments_, orphans_.get(), pool_.get(), budget_.get(),
      &clients_, catalog_.get(), [this] { CompactSlabs(); });
  watch_ = std::make_unique<WriterWatch>(
      table_.get(), &segments_, budget_.get(),
      WriterWatch::Options{
          .reserve_ahead = place_->huge_pages() && !segments_.is_hugetlbfs(),
          .limit_bytes = capacity + place_->overshoot_bytes()});
  evictor_ =
      std::make_unique<Evictor>(table_.get(), budget_.get(), orphans_.get(),
                                &clients_, options_.tier.get());
  auto workers = WorkerPool::Start(kWorkers);
  if (!workers) return workers.error();
  workers_ = *std::move(workers);
  SetUpRetriever();
  budget_->SetOnShortage([this] { evictor_->Wake(); });
  evictor_->Wake();
  running_ = true;
  return Status();
}

Status ObjectStore::Restore(const std::vector<JournaledObject>& journaled) {
  auto cost_bytes = table_->restore().Restore(journaled);
  if (!cost_bytes) return cost_bytes.error();
  budget_->ForceCharge(*cost_bytes + table_->queries().Count().slab_bytes);
  // Behind the start: the objects do not depend on it.
  catalog_->ReconcileLater(MakeTableWalk(table_.get()));
  table_->upkeep().AddObserver(catalog_.get());
  return Status();
}

ObjectStore::~ObjectStore() {
  // It asks the table.
  if (catalog_ != nullptr) catalog_->DropReconcile();
  if (!running_) return;  // What a killed store left stays as it is.
  // Those who wait for space hear that there will be none, while everything
  // that their callbacks use is still there.
  budget_->Close();
  workers_.reset();  // Their tasks may end the last hold of an open file.
  watch_.reset();
  housekeeper_.reset();
  evictor_.reset();
  table_->upkeep().RemoveObserver(catalog_.get());
  if (abandoned_) return;
  if (Status ok = catalog_->Reconcile({}); !ok) {
    spdlog::error("catalog: {}", ok.error().ToString());
  }
  table_.reset();
  if (Status ok = place_->Release(); !ok) {
    spdlog::error("giving memory back: {}", ok.error().ToString());
  }
}

// --- who listens ---

void ObjectStore::AddObserver(Observer* observer) {
  table_->upkeep().AddObserver(observer);
}

void ObjectStore::RemoveObserver(Observer* observer) {
  table_->upkeep().RemoveObserver(observer);
}

void ObjectStore::AfterObservers(std::function<void()> done) {
  std::function<void()> next = std::move(done);
  for (Observer* observer : table_->upkeep().Observers()) {
    // The catalog is behind by design; nobody waits for it.
    if (observer == catalog_.get()) continue;
    next = [observer, then = std::move(next)] { observer->AfterPending(then); };
  }
  next();
}

// --- space ---

uint64_t ObjectStore::RoundUp(uint64_t bytes) const {
  const uint64_t page = segments_.page_bytes();
  const uint64_t rest = bytes % page;
  return rest == 0 || bytes > UINT64_MAX - page ? bytes : bytes - rest + page;
}

Error ObjectStore::Explain(const Error& error) const {
  if (error.code != Code::kOutOfMemory) return error;
  const TableQueries::Numbers table = table_->queries().Count();
  const Orphans::Numbers orphans = orphans_->Count();
  auto part = [](uint64_t objects, uint64_t bytes, const char* what) {
    return std::to_string(objects) + " " + what + " take " +
           std::to_string(bytes) + " bytes";
  };
  return Error{
      error.code,
      error.message + "; " +
          part(table.sealed_objects, table.sealed_bytes, "sealed") + " (" +
          part(table.held_objects, table.held_bytes, "held") + "), " +
          part(table.unsealed_objects, table.unsealed_bytes, "unsealed") +
          ", " +
          part(orphans.count, orphans.bytes, "deleted but still in use")};
}

void ObjectStore::WithCharge(const ObjectRef& object, uint64_t needed_bytes,
                             SpaceWait wait, std::function<Status()> then,
                             Done<void> done) {
  auto charged = table_->unsealed().BeginChange(object);
  if (!charged) return done(charged.error());
  const uint64_t charged_bytes = *charged;
  if (needed_bytes > budget_->capacity_bytes()) {
    table_->unsealed().EndChange(object);
    return done(
        Error{Code::kTooLarge, std::to_string(needed_bytes) +
                                   " bytes are more than the capacity of " +
                                   std::to_string(budget_->capacity_bytes())});
  }
  if (needed_bytes <= charged_bytes ||
      budget_->TryCharge(needed_bytes - charged_bytes)) {
    return Charged(object, needed_bytes, charged_bytes, then, done);
  }
  budget_->Charge(
      needed_bytes - charged_bytes, wait,
      [this, object, needed_bytes, charged_bytes, then = std::move(then),
       done = std::move(done)](Status granted) {
        if (!granted) {
          table_->unsealed().EndChange(object);
          return done(Explain(granted.error()));
        }
        // Whoever freed the space should not have to allocate it, too.
        workers_->Run([this, object, needed_bytes, charged_bytes, then, done] {
          Charged(object, needed_bytes, charged_bytes, then, done);
        });
      },
      object.get());
  // It may have gone before it waited.
  if (!table_->unsealed().CheckWritable(object))
    budget_->EndWaitsOf(object.get());
}

void ObjectStore::Charged(const ObjectRef& object, uint64_t needed_bytes,
                          uint64_t charged_bytes,
                          const std::function<Status()>& then,
                          const Done<void>& done) {
  if (needed_bytes > charged_bytes) {
    // Somebody else may have raised it meanwhile, or the object may be gone.
    const uint64_t raised =
        table_->unsealed().RaiseCharge(object, needed_bytes);
    budget_->Uncharge(needed_bytes - charged_bytes - raised);
  }
  Status status = then();
  table_->unsealed().EndChange(object);
  done(std::move(status));
}

Status ObjectStore::GrowNow(const ObjectRef& object, uint64_t size_bytes) {
  const uint64_t before = table_->queries().Info(object).size_bytes;
  // The size first: huge pages are given only within it.
  auto grown = table_->unsealed().SetSize(object, size_bytes);
  if (!grown) return grown.error();
  GiveBack(*grown);  // It may have been larger by now.
  Status reserved = segments_.Reserve(object->number, 0, size_bytes);
  if (!reserved) (void)ShrinkNow(object, before);
  return reserved;
}

Status ObjectStore::ShrinkNow(const ObjectRef& object, uint64_t size_bytes) {
  auto freed = table_->unsealed().SetSize(object, size_bytes);
  if (!freed) return freed.error();
  GiveBack(*freed);
  return Status();
}

void ObjectStore::GiveBack(int64_t freed_bytes) {
  if (freed_bytes >= 0) {
    budget_->Uncharge(static_cast<uint64_t>(freed_bytes));
  } else {
    budget_->ForceCharge(static_cast<uint64_t>(-freed_bytes));
  }
}

void ObjectStore::Resize(const ObjectRef& object, uint64_t size_bytes,
                         SpaceWait wait, Done<void> done) {
  if (Status ok = table_->unsealed().CheckWritable(object); !ok)
    return done(ok);
  if (size_bytes <= table_->queries().Info(object).size_bytes) {
    auto begun = table_->unsealed().BeginChange(object);
    if (!begun) return done(begun.error());
    Status shrunk = ShrinkNow(object, size_bytes);
    table_->unsealed().EndChange(object);
    return done(std::move(shrunk));
  }
  WithCharge(
      object, RoundUp(size_bytes), wait,
      [this, object, size_bytes] { return GrowNow(object, size_bytes); },
      std::move(done));
}

void ObjectStore::Reserve(const ObjectRef& object, uint64_t offset_bytes,
                          uint64_t size_bytes, SpaceWait wait,
                          Done<void> done) {
  if (size_bytes > UINT64_MAX - offset_bytes) {
    return done(Error{Code::kTooLarge, "beyond any file"});
  }
  const uint64_t end_bytes = RoundUp(offset_bytes + size_bytes);
  WithCharge(
      object, end_bytes, wait,
      [this, object, offset_bytes, size_bytes] {
        return segments_.Reserve(object->number, offset_bytes, size_bytes);
      },
      std::move(done));
}

void ObjectStore::DropNow(DroppedSegment dropped) {
  orphans_->Add(std::move(dropped));
  if (orphans_->Count().count > 0) housekeeper_->Wake();
}

// --- unsealed objects ---

Result<ObjectRef> ObjectStore::Create(const ObjectId& id,
                                      const NewObject& options) {
  return CreateIn(id, options, std::nullopt);
}

Result<ObjectRef> ObjectStore::CreateIn(
    const ObjectId& id, const NewObject& options,
    const std::optional<RetiredSegment>& recycled) {
  if (Status ok = CheckMetadata(options.metadata); !ok) return ok.error();
  const uint64_t charge = MetadataCharge(options.metadata);
  if (!budget_->TryCharge(charge)) {
    return Explain(Error{Code::kOutOfMemory, "no space for the metadata"});
  }
  auto created = table_->unsealed().Insert(id, options, recycled);
  if (!created) budget_->Uncharge(charge);
  return created;
}

Result<ObjectRef> ObjectStore::CreateRecycled(const ObjectId& id,
                                              uint64_t size_bytes,
                                              const NewObject& options) {
  const Audience audience{.uid = options.creator.uid,
                          .gid = options.creator.gid,
                          .mode = options.mode & 07777};
  const auto recycled = pool_->Take(audience, size_bytes);
  auto created = CreateIn(id, options, recycled);
  if (!created && recycled) pool_->Put(audience, *recycled);
  return created;
}

void ObjectStore::CreateSized(const ObjectId& id, uint64_t size_bytes,
                              const NewObject& options, SpaceWait wait,
                              Done<ObjectRef> done) {
  auto created = CreateRecycled(id, size_bytes, options);
  if (!created) return done(created.error());
  const ObjectRef object = *created;
  const ObjectInfo info = table_->queries().Info(object);
  if (info.size_bytes == size_bytes && size_bytes > 0 &&
      info.charged_bytes >= size_bytes) {
    return done(object);  // Recycled; it has its memory.
  }
  Resize(object, size_bytes, wait,
         [this, object, done = std::move(done)](Status resized) {
           if (resized) return done(object);
           (void)Abort(object);
           done(resized.error());
         });
}

Result<UniqueFd> ObjectStore::OpenForWriting(const ObjectRef& object) {
  return table_->unsealed().OpenForWriting(object);
}

void ObjectStore::NoteWritten(const ObjectRef& object, uint64_t end_bytes) {
  table_->unsealed().NoteWritten(object, end_bytes);
}

bool ObjectStore::EvictorKeepsAhead() const {
  const MemoryBudget::Numbers budget = budget_->Get();
  const uint64_t limit = budget.capacity_bytes + place_->overshoot_bytes();
  // What is parked counts as free, here and below: it is given back at once.
  const uint64_t room = limit - std::min(limit, budget.used_bytes);
  if (room / (watch_->Count().writers + 1) < kRunwayBytes) return false;
  const TableQueries::Victims victims = table_->queries().CountEvictable();
  const bool fast = victims.bytes >= victims.segments * kQuickVictimBytes;
  const uint64_t free = budget.capacity_bytes -
                        std::min(budget.capacity_bytes, budget.used_bytes);
  if (victims.segments > 0 && fast) return true;
  // Few bytes a victim, or no victim: only what is free already counts.
  return free >= std::max(kRunwayBytes,
                          victims.segments > 0 ? budget.capacity_bytes / 4 : 0);
}

Result<WriteMode> ObjectStore::BeginWriting(const ObjectRef& object) {
  const WriteMode mode =
      EvictorKeepsAhead() ? WriteMode::kPassthrough : WriteMode::kCarried;
  if (Status ok = table_->unsealed().BeginWriting(object, mode); !ok)
    return ok.error();
  if (mode == WriteMode::kPassthrough) watch_->Add(object);
  return mode;
}

void ObjectStore::EndWriting(const ObjectRef& object, WriteMode mode) {
  if (mode == WriteMode::kPassthrough) watch_->Remove(object);
  GiveBack(table_->unsealed().EndWriting(object, mode));
  if (place_->huge_pages()) housekeeper_->Collapse(object);
}

Status ObjectStore::SetMode(const ObjectRef& object, mode_t mode) {
  return table_->unsealed().SetMode(object, mode);
}

Status ObjectStore::SetOwner(const ObjectRef& object, uid_t uid, gid_t gid) {
  return table_->unsealed().SetOwner(object, uid, gid);
}

Status ObjectStore::SetModified(const ObjectRef& object, int64_t modified_ns) {
  return table_->unsealed().SetModified(object, modified_ns);
}

Status ObjectStore::SetMetadata(const ObjectRef& object,
                                const std::string& name,
                                std::optional<std::string> value) {
  auto grown = table_->unsealed().SetMetadata(object, name, std::move(value));
  if (!grown) return grown.error();
  GiveBack(-*grown);
  return Status();
}

Status ObjectStore::Rename(const ObjectRef& object, const ObjectId& id,
                           bool no_replace) {
  const auto victim = table_->unsealed().FindUnsealed(id);
  DroppedSegment replaced;
  Status renamed = table_->unsealed().Rename(object, id, no_replace, &replaced);
  DropNow(std::move(replaced));
  if (victim && !table_->unsealed().CheckWritable(*victim)) {
    budget_->EndWaitsOf(victim->get());
  }
  return renamed;
}

Status ObjectStore::Seal(const ObjectRef& object, const ObjectId& id) {
  auto freed = table_->sealing().Seal(object, id, budget_->capacity_bytes());
  if (!freed) return freed.error();
  GiveBack(*freed);
  return Status();
}

Status ObjectStore::Abort(const ObjectRef& object) {
  auto dropped = table_->unsealed().Abort(object);
  if (!dropped) return dropped.error();
  DropNow(*std::move(dropped));
  // Others wait behind what nobody wants any more.
  budget_->EndWaitsOf(object.get());
  return Status();
}

// --- small objects ---

void ObjectStore::SetUpSlabs() {
  const uint64_t page_bytes = segments_.page_bytes();
  slab_bytes_ = std::clamp(budget_->capacity_bytes() / kLeastSlabs,
                           kLeastSlabBytes, kMostSlabBytes);
  slab_bytes_ = std::max(slab_bytes_ - slab_bytes_ % page_bytes, page_bytes);
  // Where pages are larger than slabs should be, files of their own are better.
  if (options_.strict || slab_bytes_ > kMostSlabBytes ||
      slab_bytes_ > budget_->capacity_bytes() / 4) {
    return;
  }
  const uint64_t below_threshold =
      options_.dedicated_threshold_bytes -
      std::min<uint64_t>(options_.dedicated_threshold_bytes, 1);
  small_object_bytes_ = std::min(below_threshold, slab_bytes_ / 8);
}

void ObjectStore::SetUpRetriever() {
  if (options_.tier == nullptr) return;
  retriever_ = std::make_unique<Retriever>(Retriever::Parts{
      .table = table_.get(),
      .segments = &segments_,
      .budget = budget_.get(),
      .tier = options_.tier.get(),
      .add_room = [this](SpaceWait wait,
                         Done<void> done) { AddRoom(wait, std::move(done)); },
      // Also while the workers end: then on the thread that asks.
      .run = [workers = workers_.get()](
                 WorkerPool::Task task) { workers->Run(std::move(task)); }});
}

void ObjectStore::SetUpPool() {
  const uint64_t capacity = budget_->capacity_bytes();
  const uint64_t limit =
      options_.pool_bytes.value_or(capacity / kDefaultPoolPart);
  pool_ = std::make_unique<SegmentPool>(&segments_, budget_.get(),
                                        std::min(limit, capacity));
  pool_->SetOnBusy(
      [this](std::shared_ptr<SegmentFile> file, const RetiredSegment& segment) {
        orphans_->Add({.number = segment.number,
                       .file = std::move(file),
                       .charged_bytes = segment.allocated_bytes});
      });
  budget_->SetReclaim([this](uint64_t bytes) { pool_->Shrink(bytes); });
  if (pool_->enabled()) table_->upkeep().Recycle();
}

void ObjectStore::PutSmall(const Credentials& creator,
                           std::span<const SmallObject> objects,
                           std::vector<Status>* results) {
  // It is taken already; the evictor makes up for it.
  budget_->ForceCharge(table_->slabs().PutSmall(creator, objects, results));
}

// Several may have waited for room at once.
Status ObjectStore::OpenSlab(const std::optional<RetiredSegment>& recycled,
                             uint64_t needed_bytes) {
  if (table_->slabs().HasRoom(needed_bytes)) {
    GiveUpSlab(recycled);
    return Status();
  }
  auto before = table_->slabs().OpenSlab(slab_bytes_, recycled);
  if (!before) {
    GiveUpSlab(recycled);
    return before.error();
  }
  orphans_->Add(*std::move(before));
  return Status();
}

Status ObjectStore::AddSlab(const std::optional<RetiredSegment>& recycled) {
  Status opened = OpenSlab(recycled, small_object_bytes_);
  if (opened && pool_->enabled()) housekeeper_->PrepareSlab(slab_bytes_);
  return opened;
}

void ObjectStore::GiveUpSlab(const std::optional<RetiredSegment>& recycled) {
  if (recycled) return pool_->Put(Audience::OfSlabs(slab_bytes_), *recycled);
  budget_->Uncharge(slab_bytes_);
}

std::optional<RetiredSegment> ObjectStore::TakeSlab() {
  return pool_->Take(Audience::OfSlabs(slab_bytes_), slab_bytes_);
}

void ObjectStore::CompactSlabs() {
  int in_vain = 0;
  for (int i = 0;
       i < kCompactionsPerRound && table_->compactor().WantsCompaction(); ++i) {
    if (in_vain == kCompactionsInVain) return;
    Compactor::Compaction done = table_->compactor().CompactBatch();
    orphans_->Add(std::move(done.dropped));
    if (done.moved > 0) continue;
    ++in_vain;
    // What an earlier store took may be larger than any slab of this one.
    if (done.needed_bytes == 0 || done.needed_bytes > slab_bytes_) continue;
    const auto recycled = TakeSlab();
    if (!recycled && !budget_->TryCharge(slab_bytes_)) return;
    if (!OpenSlab(recycled, done.needed_bytes)) return;
  }
}

void ObjectStore::AddRoom(SpaceWait wait, Done<void> done, const void* whose) {
  if (small_object_bytes_ == 0) {
    return done(Error{Code::kUnsupported, "this store has no slabs"});
  }
  const auto recycled = TakeSlab();
  if (recycled || budget_->TryCharge(slab_bytes_)) {
    return done(AddSlab(recycled));
  }
  budget_->Charge(
      slab_bytes_, wait,
      [this, done = std::move(done)](Status granted) {
        if (!granted) return done(Explain(granted.error()));
        workers_->Run([this, done] { done(AddSlab(std::nullopt)); });
      },
      whose);
}

// --- sealed objects ---

Result<ObjectRef> ObjectStore::FindSealed(const ObjectId& id) {
  return table_->sealed().FindSealed(id);
}

Result<ObjectRef> ObjectStore::FindUnsealed(const ObjectId& id) {
  return table_->unsealed().FindUnsealed(id);
}

Status ObjectStore::Delete(const ObjectRef& object, const Credentials& who) {
  auto dropped = table_->sealed().Delete(object, who);
  if (!dropped) return dropped.error();
  const uint64_t segment = dropped->number;
  DropNow(*std::move(dropped));
  if (options_.tier != nullptr) ForgetCopy(object);
  // Clients that only keep it mapped for next time should let go.
  if (segment != 0) clients_.Recall({segment});
  return Status();
}

void ObjectStore::ForgetCopy(const ObjectRef& object) {
  budget_->EndWaitsOf(object.get());  // To bring it back.
  if (!table_->queries().Info(object).copied) return;
  workers_->Run([tier = options_.tier, number = object->number] {
    tier->Forget(number);
  });
}

// Without a tier, a sealed object is in memory.
void ObjectStore::Want(const ObjectId& id, SpaceWait wait, Done<void> done) {
  const auto object = FindSealed(id);
  if (!object) return done(object.error());
  if (retriever_ == nullptr) return done(Status());
  retriever_->Want(*object, wait, std::move(done));
}

Status ObjectStore::SetHold(const ObjectRef& object, bool hold,
                            const Credentials& who) {
  Status held = table_->sealed().SetHold(object, hold, who);
  if (held && !hold) evictor_->Wake();
  return held;
}

void ObjectStore::Evict(uint64_t bytes, Done<uint64_t> done) {
  evictor_->Request(bytes, std::move(done));
}

// --- any object ---

ObjectInfo ObjectStore::Info(const ObjectRef& object) {
  return table_->queries().Info(object);
}

std::shared_ptr<const Metadata> ObjectStore::GetMetadata(
    const ObjectRef& object) {
  return table_->queries().GetMetadata(object);
}

Result<UniqueFd> ObjectStore::OpenForReading(const ObjectRef& object) {
  return table_->sealed().OpenForReading(object);
}

Result<std::shared_ptr<SegmentFile>> ObjectStore::Share(
    const ObjectRef& object) {
  return table_->sealed().Lend(object);
}

bool ObjectStore::InUse(const ObjectRef& object) {
  return table_->queries().InUse(object);
}

void ObjectStore::Touch(const ObjectRef& object) {
  table_->sealed().Touch(object);
}

std::string ObjectStore::SegmentPath(const ObjectRef& object) {
  return table_->sealed().TellPath(object);
}

std::vector<ObjectRef> ObjectStore::List(ObjectState state) {
  return table_->queries().List(state);
}

std::vector<ListedObject> ObjectStore::Describe(
    std::span<const ObjectRef> objects, ObjectState state) {
  return table_->queries().Describe(objects, state);
}

const std::string& ObjectStore::memory_dir() const {
  return place_->memory_dir();
}

}  // namespace vitrine::store
