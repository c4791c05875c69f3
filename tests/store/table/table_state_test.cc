// The invariants of TableState, after every step of a random history.
#include "store/table/table_state.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "store/table/blank_ops.h"
#include "store/table/compactor.h"
#include "store/table/eviction.h"
#include "store/table/returning.h"
#include "store/table/sealed_ops.h"
#include "store/table/sealing.h"
#include "store/table/slab_ops.h"
#include "store/table/table_restore.h"
#include "store/table/unsealed_ops.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kSlabBytes = 64 << 10;

// How often each kind of step comes (TableStateTest::Step).
constexpr std::array<unsigned, 35> kKinds = {
    0, 0, 1, 1, 1, 2, 2,  2,  2,  3,  4,  4,  5,  5,  5,  5,  6, 6,
    6, 6, 7, 8, 9, 9, 10, 10, 11, 12, 12, 13, 13, 14, 15, 16, 17};

class TableStateTest : public testing::Test {
 protected:
  TableStateTest() : dir_("/dev/shm") {
    for (const char* name : {"/segments", "/retired"}) {
      std::filesystem::create_directory(dir_.path() + name);
    }
    segments_.emplace(
        *SegmentDir::Open(dir_.path() + "/segments", dir_.path() + "/retired"));
    JournalContents none;
    table_.emplace(&*segments_, &clients_, &accounts_,
                   *IndexWriter::Create(dir_.path() + "/index"),
                   *Journal::Open(dir_.path() + "/journal", &none),
                   MakeLruPolicy());
  }

  // --- steps ---

  void Create() {
    const auto made =
        UnsealedOps(&*table_).Insert(NewId(), {.creator = AnyUser()});
    ASSERT_TRUE(made);
    objects_.push_back(*made);
  }
  void Seal(const ObjectRef& object) {
    if (StateOf(object) != ObjectState::kUnsealed) return;
    const uint64_t number = NumberOf(*object);
    ASSERT_TRUE(segments_->SetSize(number, kPageBytes));
    ASSERT_TRUE(segments_->Reserve(number, 0, kPageBytes));
    ASSERT_TRUE(Sealing(&*table_).Seal(object, IdOf(object), 1 << 20));
  }
  void MakeBlank() {
    const RetiredSegment segment{.number = table_->NewNumber(),
                                 .allocated_bytes = kPageBytes,
                                 .size_bytes = kPageBytes};
    ASSERT_TRUE(segments_->MakeRetired(segment.number, segment.size_bytes));
    const auto made = BlankOps(&*table_).Make(AnyUser(), 0644, segment);
    ASSERT_TRUE(made);
    objects_.push_back(*made);
  }
  void SealBlank(const ObjectRef& object) {
    if (StateOf(object) != ObjectState::kBlank) return;
    ASSERT_TRUE(Sealing(&*table_).SealBlank(object, {NewId(), kPageBytes}));
    ++blanks_sealed_;
  }
  void PutSmall() {
    SlabOps slabs(&*table_);
    if (!slabs.HasRoom(data_.size())) {
      ASSERT_TRUE(slabs.OpenSlab(kSlabBytes));
    }
    const SmallObject small{NewId(), 0644, std::as_bytes(std::span(data_))};
    std::vector<Status> results;
    slabs.PutSmall(AnyUser(), {&small, 1}, &results);
    ASSERT_TRUE(results.size() == 1 && results[0]);
    objects_.push_back(*SealedOps(&*table_).FindSealed(small.id));
  }
  void Evict(Fate fate) {
    Eviction eviction(&*table_);
    Eviction::Departure leaving = eviction.Begin(kPageBytes, fate);
    for (Eviction::Victim& victim : leaving.victims) victim.carried = true;
    (void)eviction.Finish(std::move(leaving));
  }
  void BringBack(const ObjectRef& object) {
    if (!IsElsewhere(object) || !IsSmall(object)) return;
    (void)Returning(&*table_).ReturnSmall(object,
                                          std::as_bytes(std::span(data_)));
  }
  void GiveAway(const ObjectRef& object) {
    const Credentials user = AnyUser();
    (void)UnsealedOps(&*table_).SetOwner(object, user.uid, user.gid);
  }
  void Step(unsigned kind) {
    const ObjectRef object = AnyObject();
    if (kind == 0 || object == nullptr) return Create();
    switch (kind) {
      case 1:
        return PutSmall();
      case 2:
        return Seal(object);
      case 3:
        return void(UnsealedOps(&*table_).Abort(object));
      case 4:
        return void(SealedOps(&*table_).Delete(object, {}));
      case 5:
        return void(SealedOps(&*table_).SetHold(object, true, {}));
      case 6:
        return void(SealedOps(&*table_).SetHold(object, false, {}));
      case 7:
        return Evict(Fate::kGone);
      case 8:
        return Evict(Fate::kElsewhere);
      case 9:
        return BringBack(object);
      case 10:
        return void(Compactor(&*table_).CompactBatch());
      case 12:
        return MakeBlank();
      case 13:
        return SealBlank(object);
      case 15:
        return void(UnsealedOps(&*table_).RaiseCharge(object, 3 * kPageBytes));
      case 16:
        return GiveAway(object);
      case 17:
        return void(UnsealedOps(&*table_).SetMetadata(
            object, "note", std::string(random_() % 4000, 'n')));
      case 14:
        return void(BlankOps(&*table_).Drop(object));
      default:
        return void(SlabOps(&*table_).CloseOpenSlab());
    }
  }

  // --- the invariants ---

  void Check() {
    MutexLock lock(table_->mutex);
    std::set<const EvictionEntry*> may_go;
    uint64_t blanks = 0;
    for (const ObjectRef& object : objects_) {
      CheckPlace(object);
      if (object->state == ObjectState::kBlank) ++blanks;
      if (!object->has_own_segment() || object->hold) continue;
      if (object->state == ObjectState::kSealed) {
        may_go.insert(object->eviction());
      }
    }
    for (const Slab* slab : CheckedSlabs()) {
      if (!slab->open() && slab->held == 0) may_go.insert(&slab->eviction);
    }
    std::set<const EvictionEntry*> queued;
    table_->evictable.Visit([&queued](EvictionEntry* entry) {
      queued.insert(entry);
      if (entry->object != nullptr) {
        EXPECT_EQ(entry->owner, entry->object->uid);
      }
      return true;
    });
    EXPECT_EQ(queued, may_go);  // Invariant (3).
    EXPECT_EQ(table_->blanks.size(), blanks);
    EXPECT_EQ(table_->blank_bytes, blanks * kPageBytes);
    CheckAccounts(objects_, accounts_);
  }
  // Invariant (6).  (There are no orphans here.)
  template <typename Objects>
  static void CheckAccounts(const Objects& objects, const Accounts& accounts) {
    std::map<Party, Amounts> expected;
    for (const ObjectRef& object : objects) {
      if (object == nullptr || object->state == ObjectState::kGone) continue;
      AddCost(*object, &expected[{Party::Kind::kUser, object->uid}]);
      AddCost(*object, &expected[{Party::Kind::kGroup, object->gid}]);
    }
    std::map<Party, Amounts> found;
    for (const Accounts::Account& account : accounts.List()) {
      found[account.party] = account.used;
    }
    EXPECT_EQ(found, expected);
  }
  static void AddCost(const ObjectRecord& object, Amounts* sum) {
    AmountOf(*sum, Resource::kMemory) +=
        object.overhead_bytes() +
        (object.elsewhere ? 0
                          : (object.in_slab() ? object.size_bytes
                                              : object.own->charged_bytes));
    if (object.state == ObjectState::kBlank) return;
    AmountOf(*sum, Resource::kObjects) += 1;
    AmountOf(*sum, Resource::kUnsealed) +=
        object.state == ObjectState::kUnsealed ? 1 : 0;
    AmountOf(*sum, Resource::kHolds) += object.hold ? 1 : 0;
  }
  // As a restart does, with accounts of its own.
  void CheckAccountsOfARestart() {
    JournalContents journaled;
    auto journal = Journal::Open(dir_.path() + "/journal", &journaled);
    ASSERT_TRUE(journal);
    Accounts accounts(0);
    TableState table(&*segments_, &clients_, &accounts,
                     *IndexWriter::Create(dir_.path() + "/index-2"),
                     *std::move(journal), MakeLruPolicy());
    ASSERT_TRUE(TableRestore(&table).Restore(journaled, {}));
    MutexLock lock(table.mutex);
    CheckAccounts(table.directory.slots(), accounts);
    // Also of what is held, and may go later.
    for (const ObjectRef& object : table.directory.slots()) {
      if (object == nullptr || !object->has_own_segment()) continue;
      EXPECT_EQ(object->own->eviction.owner, object->uid);
    }
    EXPECT_FALSE(accounts.List().empty());
  }
  // Invariants (1) and (2).
  void CheckPlace(const ObjectRef& object) REQUIRES(table_->mutex) {
    const std::string id(object->id.text());
    const bool unsealed = object->state == ObjectState::kUnsealed;
    const bool sealed = object->state == ObjectState::kSealed;
    EXPECT_EQ(table_->directory.FindUnsealed(id) == object, unsealed) << id;
    EXPECT_EQ(table_->directory.FindSealed(id) == object, sealed) << id;
    EXPECT_EQ(object->slot != kNoSlot, sealed) << id;
    if (!sealed) return;
    EXPECT_EQ(table_->directory.index().IsElsewhere(object->slot),
              static_cast<bool>(object->elsewhere));
    EXPECT_EQ(ModeOf(object->segment()),
              object->elsewhere && object->slab == nullptr
                  ? std::nullopt
                  : std::optional<mode_t>(0444))
        << id;
  }
  // Invariant (5).
  std::set<const Slab*> CheckedSlabs() REQUIRES(table_->mutex) {
    std::map<const Slab*, size_t> live;
    for (const ObjectRef& object : objects_) {
      if (object->slab == nullptr) continue;
      EXPECT_EQ(object->state, ObjectState::kSealed);
      ++live[object->slab];
    }
    if (table_->slabs.open() != nullptr) live[table_->slabs.open()] += 0;
    EXPECT_EQ(live.size(), table_->slabs.size());
    std::set<const Slab*> slabs;
    for (const auto& [slab, count] : live) {
      EXPECT_EQ(slab->live(), count);
      slabs.insert(slab);
    }
    return slabs;
  }
  // The rest of invariant (2): a restart finds exactly what is sealed.
  void CheckJournal() {
    JournalContents journaled;
    ASSERT_TRUE(Journal::Open(dir_.path() + "/journal", &journaled));
    std::set<uint64_t> found;
    for (const JournaledObject& object : journaled.objects) {
      found.insert(object.info.number);
    }
    std::set<uint64_t> sealed;
    MutexLock lock(table_->mutex);
    for (const ObjectRef& object : objects_) {
      // The journal does not know yet what is elsewhere.
      if (object->state == ObjectState::kSealed && !object->elsewhere) {
        sealed.insert(object->number);
      } else if (object->elsewhere) {
        found.erase(object->number);
      }
    }
    EXPECT_EQ(found, sealed);
  }

  // --- helpers ---

  // Seldom one that is gone.  Null: there was none yet.
  ObjectRef AnyObject() {
    if (objects_.empty()) return nullptr;
    ObjectRef object;
    for (int tries = 0; tries < 50; ++tries) {
      object = objects_[random_() % objects_.size()];
      if (StateOf(object) != ObjectState::kGone) break;
    }
    return object;
  }

  Credentials AnyUser() {
    return {.uid = static_cast<uid_t>(random_() % 3),
            .gid = static_cast<gid_t>(random_() % 2)};
  }
  ObjectId NewId() {
    return *ObjectId::FromText("object-" + std::to_string(next_id_++));
  }
  // None: there is no such segment.
  std::optional<mode_t> ModeOf(uint64_t segment) const {
    char name[17];
    std::snprintf(name, sizeof(name), "%016lx", segment);
    struct stat info;
    const std::string path = dir_.path() + "/segments/" + name;
    if (::stat(path.c_str(), &info) != 0) return std::nullopt;
    return info.st_mode & 0777;
  }
  ObjectState StateOf(const ObjectRef& object) {
    MutexLock lock(table_->mutex);
    return object->state;
  }
  ObjectId IdOf(const ObjectRef& object) {
    MutexLock lock(table_->mutex);
    return object->id.ToObjectId();
  }
  bool IsElsewhere(const ObjectRef& object) {
    MutexLock lock(table_->mutex);
    return object->elsewhere;
  }
  bool IsSmall(const ObjectRef& object) {
    MutexLock lock(table_->mutex);
    return object->in_slab();
  }

  ScratchDir dir_;
  std::optional<SegmentDir> segments_;
  ClientRegistry clients_;
  Accounts accounts_{0};
  std::optional<TableState> table_;
  const std::string data_ = std::string(9000, 's');
  std::mt19937_64 random_{7};
  std::vector<ObjectRef> objects_;  // All that ever were.
  uint64_t next_id_ = 0;
  size_t blanks_sealed_ = 0;
};

// Invariants (1), (2), (3), (5) and (6) of TableState.
TEST_F(TableStateTest, TheInvariantsHoldAfterEveryStepOfARandomHistory) {
  for (int step = 0; step < 1500 && !HasFailure(); ++step) {
    const unsigned kind = kKinds[random_() % kKinds.size()];
    SCOPED_TRACE("step " + std::to_string(step) + " of kind " +
                 std::to_string(kind));
    Step(kind);
    Check();
  }
  CheckJournal();
  CheckAccountsOfARestart();
  MutexLock lock(table_->mutex);
  EXPECT_GT(table_->evicted_objects, 0u);
  EXPECT_GT(table_->moved_objects, 0u);
  EXPECT_GT(table_->returned_objects, 0u);
  EXPECT_GT(blanks_sealed_, 0u);
}

}  // namespace
}  // namespace vitrine::store
