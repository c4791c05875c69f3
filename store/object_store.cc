#include "store/object_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "schema/base/size.h"
#include "store/accounts/descriptor_shares.h"
#include "store/base/heap.h"
#include "store/index/index_writer.h"
#include "store/table/table_walk.h"
#include "store/tiers/carrier.h"
#include "store/tiers/tier_chain.h"

namespace vitrine::store {
namespace {

constexpr size_t kWorkers = 2;
constexpr uint64_t kDefaultPoolPart = 2;

// Free space that the evictor keeps: enough for a burst, too little to miss.
uint64_t LowWater(uint64_t capacity_bytes) {
  return std::min<uint64_t>(capacity_bytes / 64, 128 << 20);
}

Result<std::shared_ptr<Tier>> OpenTierOf(const StoreOptions& options) {
  if (options.tier != nullptr) return options.tier;
  return OpenTier({.urls = options.external_stores,
                   .limit_bytes = options.spill_limit_bytes.value_or(0)});
}

// The entries of objects that are elsewhere stay in memory: those of one user
// must leave room for the objects of others.
Quota EntriesQuota(uint64_t capacity_bytes) {
  constexpr uint64_t kEntryBytes = SmallObjectOverheadBytes(0);
  return {.kind = Party::Kind::kUser,
          .id = {},
          .limits = {{Resource::kObjects, capacity_bytes / 4 / kEntryBytes}}};
}

// Returns false.
bool KeepsMemory(const Error& why) {
  spdlog::error("the memory stays for the next start: {}", why.ToString());
  return false;
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
  auto tier = OpenTierOf(options);
  if (!tier) return tier.error();
  StoreOptions with_tier = options;
  with_tier.tier = *std::move(tier);
  std::unique_ptr<ObjectStore> store(new ObjectStore(
      with_tier, *std::move(lock), *std::move(place), *std::move(segments)));
  if (Status ok = store->Start(); !ok) return ok.error();
  return store;
}

Status ObjectStore::Start() {
  parts_.accounts.SetQuota(DefaultUserQuota(ShareDescriptors()));
  if (parts_.options.tier != nullptr) {
    parts_.accounts.SetQuota(EntriesQuota(parts_.place->capacity_bytes()));
  }
  for (const Quota& quota : parts_.options.quotas) {
    parts_.accounts.SetQuota(quota);
  }
  parts_.catalog = Catalog::Open(parts_.options.state_dir, CatalogLimits(),
                                 parts_.options.catalog_mode);
  const uint64_t capacity = parts_.place->capacity_bytes();
  parts_.budget = std::make_unique<MemoryBudget>(capacity, LowWater(capacity));
  parts_.client_memory =
      std::make_unique<ClientMemory>(parts_.budget.get(), &parts_.accounts);
  parts_.budget->SetAccounts(&parts_.accounts);
  if (Status ok = TakeOver(); !ok) return ok;
  // With many objects that was as much as all that is kept of them.
  TrimHeap();
  small_.SetUp();
  SetUpPool();
  if (Status ok = FitCapacity(); !ok) return ok;
  TellOfRestart();
  auto workers = WorkerPool::Start(kWorkers);
  if (!workers) return workers.error();
  parts_.workers = *std::move(workers);
  SetUpRetriever();
  SetUpKeepers();
  if (Status ok = SetUpCopier(); !ok) return ok;
  parts_.budget->SetOnShortage([this] { parts_.evictor->Wake(); });
  parts_.evictor->Wake();
  if (Status ok = WatchPressure(); !ok) return ok;
  running_ = true;
  return Status();
}

// Huge pages of a hugetlbfs were set aside before: giving them back helps
// nobody.
Status ObjectStore::WatchPressure() {
  if (parts_.segments.is_hugetlbfs()) return Status();
  auto watch = PressureWatch::Start({.table = parts_.table.get(),
                                     .segments = &parts_.segments,
                                     .budget = parts_.budget.get()});
  if (!watch) return watch.error();
  parts_.pressure = *std::move(watch);
  return Status();
}

Status ObjectStore::TakeOver() {
  Leftovers left;
  auto journal = OpenJournal(&left);
  if (!journal) return journal.error();
  auto index = IndexWriter::Create(parts_.place->control_dir() + "/index");
  if (!index) return index.error();
  parts_.table = std::make_unique<ObjectTable>(
      &parts_.segments, &parts_.clients, &parts_.accounts, *std::move(index),
      *std::move(journal), MakeLruPolicy());
  return Restore(left);
}

Result<Journal> ObjectStore::OpenJournal(Leftovers* left) {
  const std::string& control_dir = parts_.place->control_dir();
  const std::string path = control_dir + "/journal";
  auto indexed = TakeCensus(control_dir + "/index");
  if (!indexed) return indexed.error();
  left->indexed = *std::move(indexed);
  auto journal = Journal::Open(path, &left->journal);
  if (!journal) return journal;
  if (Status ok = LookIntoTier(left); !ok) return ok.error();
  auto unnamed = FindUnnamed(parts_.segments, left->journal);
  if (!unnamed) return unnamed.error();
  left->unnamed = *std::move(unnamed);
  Status worth = CheckWorthTaking(*left, path, parts_.options.recover);
  // A journal that was not begun means a loss to the next start, which a store
  // that is killed before its first seal must not.
  if (worth && left->journal.missing()) worth = journal->Begin();
  if (!worth) return worth.error();
  return journal;
}

Status ObjectStore::LookIntoTier(Leftovers* left) {
  if (Tier* const tier = parts_.options.tier.get()) {
    auto found = tier->TakeFound();
    if (!found) return found.error();
    left->tiers = tier->identities();
    for (Tier::Found& one : *found) {
      left->found.push_back(
          {{std::move(one.info), std::move(one.metadata)}, one.identity});
    }
  }
  CombineWithTier(parts_.options.recover, left);
  if (left->not_found > 0) {
    spdlog::error("{} objects are in external stores that do not have them: {}",
                  left->not_found,
                  parts_.options.recover ? "they are lost" : "their gets fail");
  }
  uint64_t& highest = left->journal.highest_number;
  if (parts_.options.tier != nullptr) {
    highest = std::max(highest, parts_.options.tier->highest_number());
  }
  return Status();
}

// Nothing is forgotten before the journal says what is known.
Status ObjectStore::SettleTier(const Leftovers& left,
                               const std::vector<uint64_t>& missing) {
  if (left.adopted > 0 || left.journal.tiers != left.tiers) {
    Status known = parts_.table->upkeep().RewriteJournalFor(left.tiers);
    if (!known) return known;
  }
  if (parts_.options.tier == nullptr) return Status();
  for (const auto* numbers : {&left.unwanted, &missing}) {
    for (const uint64_t number : *numbers) {
      parts_.options.tier->Forget(number);
    }
  }
  return Status();
}

Status ObjectStore::Restore(const Leftovers& left) {
  auto restored = parts_.table->restore().Restore(left.journal, left.unnamed);
  if (!restored) return restored.error();
  parts_.budget->ForceCharge(restored->cost_bytes +
                             parts_.table->queries().Count().slab_bytes);
  parts_.restart = ReportOf(left, restored->missing);
  if (Status ok = SettleTier(left, restored->missing); !ok) return ok;
  // Its damage is told once, and cannot grow.
  parts_.table->upkeep().RewriteJournalIfWanted();
  // Behind the start: the objects do not depend on it.
  parts_.catalog->ReconcileLater(MakeTableWalk(parts_.table.get()));
  parts_.table->upkeep().AddObserver(parts_.catalog.get());
  return Status();
}

Status ObjectStore::FitCapacity() {
  if (parts_.budget->Shortage() == 0) return Status();
  const MemoryBudget::Numbers budget = parts_.budget->Get();
  const uint64_t kept_bytes =
      budget.used_bytes - parts_.table->queries().SumEvictableCosts();
  if (kept_bytes > budget.capacity_bytes) {
    return Error{Code::kTooLarge,
                 "--capacity: " + FormatSize(budget.capacity_bytes) +
                     " is too little for the held objects that a killed store "
                     "left: they need " +
                     FormatSize(kept_bytes)};
  }
  EvictSurplus();
  if (parts_.options.tier != nullptr) return Status();  // They are still there.
  const TableQueries::Numbers table = parts_.table->queries().Count();
  parts_.restart.evicted_objects = table.evicted_objects;
  parts_.restart.evicted_bytes = table.evicted_bytes;
  parts_.restart.restored_objects -= table.evicted_objects;
  return Status();
}

Eviction::Batch ObjectStore::EvictAtStart(uint64_t bytes) {
  Eviction& eviction = parts_.table->eviction();
  Tier* const tier = parts_.options.tier.get();
  if (tier == nullptr) {
    return eviction.Finish(eviction.Begin(bytes, Fate::kGone));
  }
  Eviction::Departure departure = eviction.Begin(bytes, Fate::kElsewhere);
  const Status carried = Carrier(tier).Carry(&departure);
  Eviction::Batch batch = eviction.Finish(std::move(departure));
  if (!carried) {
    spdlog::error("eviction: {}", carried.error().ToString());
    batch.examined = batch.evictable;  // Others would fare no better.
  }
  return batch;
}

void ObjectStore::EvictSurplus() {
  size_t in_vain = 0;
  while (const uint64_t bytes = parts_.budget->Shortage()) {
    Eviction::Batch batch = EvictAtStart(bytes);
    for (DroppedSegment& dropped : batch.dropped) {
      parts_.orphans->Add(std::move(dropped));
    }
    in_vain = batch.evicted > 0 ? 0 : in_vain + batch.examined;
    // What processes still have: the evictor waits for them.
    if (batch.evicted == 0 && in_vain >= batch.evictable) break;
  }
}

void ObjectStore::TellOfRestart() const {
  const std::string told = parts_.restart.Describe();
  if (told.empty()) return;
  spdlog::warn("of a killed store: {}", told);
  if (parts_.restart.damaged_places > 0) {
    spdlog::warn(
        "what the damaged places said is unknown: holds set there are lost, "
        "and a small object deleted there may be back");
  }
}

ObjectStore::~ObjectStore() {
  // It asks the table.
  if (parts_.catalog != nullptr) parts_.catalog->DropReconcile();
  if (!running_) return;  // What a killed store left stays as it is.
  parts_.pressure.reset();
  // Those who wait for space hear that there will be none, while everything
  // that their callbacks use is still there.
  parts_.budget->Close();
  parts_.copier->Stop();
  // Their tasks may end the last hold of an open file.
  parts_.workers->Shutdown();
  parts_.watch.reset();
  parts_.housekeeper.reset();
  parts_.evictor.reset();
  parts_.table->upkeep().RemoveObserver(parts_.catalog.get());
  if (abandoned_) return;
  if (!EndObjects()) {
    parts_.place->Keep();
    return;
  }
  if (Status ok = parts_.catalog->Reconcile({}); !ok) {
    spdlog::error("catalog: {}", ok.error().ToString());
  }
  parts_.table.reset();
  if (Status ok = parts_.place->Release(); !ok) {
    spdlog::error("giving memory back: {}", ok.error().ToString());
  }
}

bool ObjectStore::EndObjects() {
  Tier* const tier = parts_.options.tier.get();
  const bool lasts = tier != nullptr && !tier->identities().empty();
  const OnExit on_exit =
      parts_.options.on_exit.value_or(lasts ? OnExit::kSpill : OnExit::kDrop);
  if (on_exit == OnExit::kKeep) return false;
  if (on_exit == OnExit::kDrop) {
    if (tier != nullptr) ForgetCopies();
  } else if (Status spilled = SpillAll(); !spilled) {
    return KeepsMemory(spilled.error());
  }
  // Only the journal knows of deletions that are not carried out.
  const Status ended = tier != nullptr ? tier->End() : Status();
  return ended.has_value() || KeepsMemory(ended.error());
}

Status ObjectStore::SpillAll() {
  if (parts_.options.tier == nullptr) {
    return Error{Code::kInvalidArgument, "there is no external store"};
  }
  Carrier carrier(parts_.options.tier.get());
  for (uint32_t slot = 0; slot != kNoSlot;) {
    Eviction::Departure page = parts_.table->eviction().InMemory(&slot);
    if (!page.unreadable) return page.unreadable;
    Status carried = carrier.Carry(&page);
    if (!carried) return carried;
  }
  return Status();
}

void ObjectStore::ForgetCopies() {
  for (const ObjectRef& object :
       parts_.table->queries().List(ObjectState::kSealed)) {
    if (!parts_.table->queries().Info(object).copied) continue;
    parts_.options.tier->Forget(NumberOf(*object));
  }
}

void ObjectStore::SetUpKeepers() {
  parts_.abandoned = std::make_unique<AbandonedWatch>(
      parts_.table.get(), parts_.options.abandon_after,
      [this](DroppedSegment dropped) {
        parts_.orphans->Add(std::move(dropped));
      });
  parts_.housekeeper = std::make_unique<Housekeeper>(
      parts_.table.get(), &parts_.segments, parts_.orphans.get(),
      parts_.pool.get(), parts_.budget.get(), &parts_.clients,
      parts_.catalog.get(), parts_.abandoned.get(), [this] {
        small_.CompactSlabs();
        if (parts_.retriever == nullptr) return;
        parts_.retriever->ExpireWaits(std::chrono::steady_clock::now());
      });
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

Status ObjectStore::SetUpCopier() {
  parts_.table->sealing().SetCopying(parts_.options.seal_copy);
  auto copier = SealCopier::Start(
      {.table = parts_.table.get(),
       .segments = &parts_.segments,
       .make_room = [this](uint64_t bytes) {
         parts_.budget->NoteFree(parts_.segments.FreeBytes());
         // Not into the pool: the file system needs it.
         parts_.evictor->Request(bytes, [this, bytes](Result<uint64_t>) {
           parts_.pool->Shrink(bytes);
         });
       }});
  if (!copier) return copier.error();
  parts_.copier = *std::move(copier);
  return Status();
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
  parts_.orphans = std::make_unique<Orphans>(
      parts_.budget.get(), parts_.pool.get(), &parts_.accounts);
  parts_.budget->SetReclaim(
      [this](uint64_t bytes) { parts_.pool->Shrink(bytes); });
  if (parts_.pool->enabled()) parts_.table->upkeep().Recycle();
}

}  // namespace vitrine::store
