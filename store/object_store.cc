#include "store/object_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "store/base/heap.h"
#include "store/index/index_writer.h"
#include "store/journal/journal.h"
#include "store/table/table_walk.h"

namespace vitrine::store {
namespace {

constexpr size_t kWorkers = 2;
constexpr uint64_t kDefaultPoolPart = 2;

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
  if ((*place)->huge_pages()) {
    segments->UseHugePages();
  } else if (options.huge_pages != Switch::kOff) {
    segments->TryCollapse();
  }
  std::unique_ptr<ObjectStore> store(new ObjectStore(
      options, *std::move(lock), *std::move(place), *std::move(segments)));
  if (Status ok = store->Start(); !ok) return ok.error();
  return store;
}

Status ObjectStore::Start() {
  parts_.catalog = Catalog::Open(parts_.options.state_dir, CatalogLimits(),
                                 parts_.options.catalog_mode);
  auto index = IndexWriter::Create(parts_.place->control_dir() + "/index");
  if (!index) return index.error();
  std::vector<JournaledObject> journaled;
  auto journal =
      Journal::Open(parts_.place->control_dir() + "/journal", &journaled);
  if (!journal) return journal.error();
  parts_.table = std::make_unique<ObjectTable>(
      &parts_.segments, &parts_.clients, *std::move(index), *std::move(journal),
      MakeLruPolicy());
  const uint64_t capacity = parts_.place->capacity_bytes();
  parts_.budget = std::make_unique<MemoryBudget>(capacity, LowWater(capacity));
  if (Status ok = Restore(journaled); !ok) return ok;
  // With many objects that was as much as all that is kept of them.
  journaled = {};
  TrimHeap();
  small_.SetUp();
  SetUpPool();
  SetUpKeepers();
  auto workers = WorkerPool::Start(kWorkers);
  if (!workers) return workers.error();
  parts_.workers = *std::move(workers);
  SetUpRetriever();
  parts_.budget->SetOnShortage([this] { parts_.evictor->Wake(); });
  parts_.evictor->Wake();
  running_ = true;
  return Status();
}

Status ObjectStore::Restore(const std::vector<JournaledObject>& journaled) {
  auto cost_bytes = parts_.table->restore().Restore(journaled);
  if (!cost_bytes) return cost_bytes.error();
  parts_.budget->ForceCharge(*cost_bytes +
                             parts_.table->queries().Count().slab_bytes);
  // Behind the start: the objects do not depend on it.
  parts_.catalog->ReconcileLater(MakeTableWalk(parts_.table.get()));
  parts_.table->upkeep().AddObserver(parts_.catalog.get());
  return Status();
}

ObjectStore::~ObjectStore() {
  // It asks the table.
  if (parts_.catalog != nullptr) parts_.catalog->DropReconcile();
  if (!running_) return;  // What a killed store left stays as it is.
  // Those who wait for space hear that there will be none, while everything
  // that their callbacks use is still there.
  parts_.budget->Close();
  // Their tasks may end the last hold of an open file.
  parts_.workers->Shutdown();
  parts_.watch.reset();
  parts_.housekeeper.reset();
  parts_.evictor.reset();
  parts_.table->upkeep().RemoveObserver(parts_.catalog.get());
  if (abandoned_) return;
  if (Status ok = parts_.catalog->Reconcile({}); !ok) {
    spdlog::error("catalog: {}", ok.error().ToString());
  }
  parts_.table.reset();
  if (Status ok = parts_.place->Release(); !ok) {
    spdlog::error("giving memory back: {}", ok.error().ToString());
  }
}

void ObjectStore::SetUpKeepers() {
  parts_.orphans =
      std::make_unique<Orphans>(parts_.budget.get(), parts_.pool.get());
  parts_.housekeeper = std::make_unique<Housekeeper>(
      parts_.table.get(), &parts_.segments, parts_.orphans.get(),
      parts_.pool.get(), parts_.budget.get(), &parts_.clients,
      parts_.catalog.get(), [this] { small_.CompactSlabs(); });
  parts_.watch = std::make_unique<WriterWatch>(
      parts_.table.get(), &parts_.segments, parts_.budget.get(),
      WriterWatch::Options{.reserve_ahead = parts_.place->huge_pages() &&
                                            !parts_.segments.is_hugetlbfs(),
                           .whole_writes_get_huge_pages =
                               parts_.segments.whole_writes_get_huge_pages(),
                           .limit_bytes = parts_.budget->capacity_bytes() +
                                          parts_.place->overshoot_bytes()});
  parts_.evictor = std::make_unique<Evictor>(
      parts_.table.get(), parts_.budget.get(), parts_.orphans.get(),
      &parts_.clients, parts_.options.tier.get());
}

void ObjectStore::SetUpRetriever() {
  if (parts_.options.tier == nullptr) return;
  parts_.retriever = std::make_unique<Retriever>(Retriever::Parts{
      .table = parts_.table.get(),
      .segments = &parts_.segments,
      .budget = parts_.budget.get(),
      .tier = parts_.options.tier.get(),
      .add_room =
          [this](uint64_t bytes, SpaceWait wait, Done<void> done,
                 const void* whose) {
            small_.AddRoomFor(bytes, wait, std::move(done), whose);
          },
      // Also while the workers end: then on the thread that asks.
      .run = [workers = parts_.workers.get()](
                 WorkerPool::Task task) { workers->Run(std::move(task)); }});
}

void ObjectStore::SetUpPool() {
  const uint64_t capacity = parts_.budget->capacity_bytes();
  const uint64_t limit =
      parts_.options.pool_bytes.value_or(capacity / kDefaultPoolPart);
  parts_.pool = std::make_unique<SegmentPool>(
      &parts_.segments, parts_.budget.get(), std::min(limit, capacity));
  parts_.pool->SetOnBusy(
      [this](std::shared_ptr<SegmentFile> file, const RetiredSegment& segment) {
        parts_.orphans->Add({.number = segment.number,
                             .file = std::move(file),
                             .charged_bytes = segment.allocated_bytes});
      });
  parts_.budget->SetReclaim(
      [this](uint64_t bytes) { parts_.pool->Shrink(bytes); });
  if (parts_.pool->enabled()) parts_.table->upkeep().Recycle();
}

}  // namespace vitrine::store
