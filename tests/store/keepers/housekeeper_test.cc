#include "store/keepers/housekeeper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/mapping.h"
#include "tests/store/keepers/house_parts.h"
#include "tests/support/asleep.h"
#include "tests/support/huge_mapped.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kSlabBytes = kMiB;

// Remembers the uses that it is told.
class FakeCatalog : public Catalog {
 public:
  void RecordUses(std::vector<ObjectInfo> infos) override {
    const std::lock_guard lock(mutex_);
    for (const ObjectInfo& info : infos) uses_.push_back(info.id.text());
  }
  std::vector<std::string> uses() {
    const std::lock_guard lock(mutex_);
    return uses_;
  }

  Status Reconcile(const std::vector<ObjectInfo>&) override { return {}; }
  void ReconcileLater(std::unique_ptr<LiveObjects>) override {}
  void DropReconcile() override {}
  void OnEvent(const ObjectEvent&) override {}
  void AfterPending(std::function<void()> done) override { done(); }
  void ClientConnected(uint64_t, const std::string&, pid_t, uid_t) override {}
  void ClientDisconnected(uint64_t) override {}
  StatusSection GetStatus() const override { return {}; }

 private:
  std::mutex mutex_;
  std::vector<std::string> uses_;
};

class HousekeeperTest : public HouseParts {
 protected:
  explicit HousekeeperTest(const std::string& place = "/dev/shm")
      : HouseParts(place) {
    Start();
  }

  void Start() {
    keeper_ = std::make_unique<Housekeeper>(
        table_.get(), &*segments_, &orphans_, &pool_, &budget_, &clients_,
        &catalog_, &abandoned_, [this] {
          ++rounds_;
          if (at_compaction_) at_compaction_();
        });
  }

  // All that is done twice a second was begun and done meanwhile.
  bool ARoundPasses() {
    const int before = rounds_;
    return Eventually([&] { return rounds_ >= before + 2; });
  }

  // An object with a charge of a page, of which `bytes` were written.
  ObjectRef Write(const std::string& id, uint64_t bytes) {
    const ObjectRef object = Insert(id);
    budget_.ForceCharge(table_->unsealed().RaiseCharge(object, kPage));
    Append(OpenToWrite(object), bytes);
    return object;
  }
  // A segment without an object, which takes a MiB.  Its name is gone.
  DroppedSegment MakeDropped(UniqueFd* reader) {
    const uint64_t number = table_->upkeep().NewNumber();
    EXPECT_TRUE(segments_->Create(number));
    EXPECT_TRUE(segments_->Reserve(number, 0, kMiB));
    *reader = *segments_->OpenFresh(number, O_RDONLY);
    auto file = segments_->OpenShared(number);
    EXPECT_TRUE(file);
    EXPECT_TRUE(segments_->Unlink(number));
    budget_.ForceCharge(kMiB);
    return {.number = number, .file = *std::move(file), .charged_bytes = kMiB};
  }

  FakeCatalog catalog_;
  AbandonedWatch abandoned_{table_.get(), std::nullopt, {}};
  std::atomic<int> rounds_ = 0;
  std::function<void()> at_compaction_;  // On the thread.
  std::unique_ptr<Housekeeper> keeper_;
};

TEST_F(HousekeeperTest, OrphansAreGivenBackSoonAfterTheirUsersEnd) {
  UniqueFd reader;
  orphans_.Add(MakeDropped(&reader));
  keeper_->Wake();
  EXPECT_EQ(used_bytes(), kMiB);
  // Much more often than it does all the rest.
  const int before = rounds_;
  reader = UniqueFd();
  EXPECT_TRUE(UsesSoon(0));
  EXPECT_LE(rounds_, before + 1);
}

TEST_F(HousekeeperTest, OrphansAreFoundWithoutAWakeToo) {
  UniqueFd reader;
  orphans_.Add(MakeDropped(&reader));
  reader = UniqueFd();
  EXPECT_TRUE(UsesSoon(0));
}

TEST_F(HousekeeperTest, ClientsAreAskedToUnmapOrphans) {
  std::mutex mutex;
  std::vector<uint64_t> recalled;
  auto client =
      clients_.Add({"test", 1, 2, [&](const std::vector<uint64_t>& segments) {
                      const std::lock_guard lock(mutex);
                      recalled = segments;
                    }});
  ASSERT_TRUE(client);
  auto page = Mapping::Map(client->page.get(), sizeof(ClientPage),
                           PROT_READ | PROT_WRITE);
  ASSERT_TRUE(page);
  reinterpret_cast<ClientPage*>(page->data())->kept_mappings = 1;
  UniqueFd reader;
  DroppedSegment dropped = MakeDropped(&reader);
  const std::vector<uint64_t> expected = {dropped.number};
  orphans_.Add(std::move(dropped));
  EXPECT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return recalled == expected;
  }));
  keeper_.reset();  // It uses what is gone at the end.
}

TEST_F(HousekeeperTest, ASlabIsMadeReadyOnceItIsWanted) {
  keeper_->PrepareSlab(kSlabBytes);
  EXPECT_TRUE(Eventually([this] { return pool_.Count().prepared == 1; }));
  EXPECT_EQ(budget_.Get().parked_bytes, kSlabBytes);
  keeper_->PrepareSlab(kSlabBytes);
  EXPECT_TRUE(ARoundPasses());
  EXPECT_EQ(pool_.Count().prepared, 1u) << "one is enough";
  EXPECT_TRUE(pool_.Take(Audience::OfSlabs(kSlabBytes), kSlabBytes));
  keeper_->PrepareSlab(kSlabBytes);
  EXPECT_TRUE(Eventually([this] { return pool_.Count().prepared == 2; }));
}

TEST_F(HousekeeperTest, NoSlabIsMadeReadyWhileMemoryIsShort) {
  budget_.ForceCharge(kCapacity);
  keeper_->PrepareSlab(kSlabBytes);
  EXPECT_TRUE(ARoundPasses());
  EXPECT_EQ(pool_.Count().prepared, 0u);
  EXPECT_EQ(used_bytes(), kCapacity);
}

// Invariant (4) of ObjectTable.
TEST_F(HousekeeperTest, WhatWasWrittenUnaskedIsCharged) {
  const ObjectRef object = Write("a", kMiB);
  EXPECT_TRUE(UsesSoon(kMiB));
  EXPECT_EQ(charged_bytes(object), kMiB);
}

TEST_F(HousekeeperTest, MoreWritersThanARoundLooksAtAreAllCharged) {
  constexpr uint64_t kWriters = 1100;
  for (uint64_t i = 0; i < kWriters; ++i) {
    Append(OpenToWrite(Insert(std::to_string(i))), kPage);
  }
  EXPECT_TRUE(UsesSoon(kWriters * kPage));
  // And it begins anew.
  Append(
      OpenToWrite(*table_->unsealed().FindUnsealed(*ObjectId::FromText("0"))),
      2 * kPage);
  EXPECT_TRUE(UsesSoon((kWriters + 1) * kPage));
}

TEST_F(HousekeeperTest, WhatIsGoneIsNotCharged) {
  const ObjectRef object = Insert("a");
  Append(OpenToWrite(object), kMiB);
  orphans_.Add(*table_->unsealed().Abort(object));
  EXPECT_TRUE(ARoundPasses());
  EXPECT_EQ(used_bytes(), 0u);
  EXPECT_EQ(orphans_.Count().count, 0u);
}

TEST_F(HousekeeperTest, ASlabInWhichNothingIsPutIsGivenBack) {
  budget_.ForceCharge(kSlabBytes);
  const auto dropped = table_->slabs().OpenSlab(kSlabBytes);
  ASSERT_TRUE(dropped);
  EXPECT_TRUE(UsesSoon(0));
  EXPECT_EQ(table_->queries().Count().slabs, 0u);
}

TEST_F(HousekeeperTest, TheCatalogIsToldOfUses) {
  const ObjectId id = *ObjectId::FromText("a");
  const ObjectRef object = Write("a", kPage);
  ASSERT_TRUE(table_->sealing().Seal(object, id, kMiB));
  EXPECT_TRUE(ARoundPasses());
  const size_t before = catalog_.uses().size();
  table_->sealed().Touch(object);
  EXPECT_TRUE(Eventually([&] { return catalog_.uses().size() > before; }));
  EXPECT_EQ(catalog_.uses().back(), "a");
  EXPECT_TRUE(ARoundPasses());
  EXPECT_EQ(catalog_.uses().size(), before + 1) << "told once";
}

TEST_F(HousekeeperTest, TheJournalIsKeptShort) {
  for (int i = 0; i < 2000; ++i) {
    const ObjectId id =
        *ObjectId::FromText(std::string(200, 'a') + std::to_string(i));
    const ObjectRef object = Insert(id.text());
    ASSERT_TRUE(table_->sealing().Seal(object, id, kMiB));
    orphans_.Add(*table_->sealed().Delete(object, {}));
  }
  EXPECT_TRUE(Eventually(
      [this] { return table_->queries().Count().journal_bytes < kMiB / 4; }));
}

TEST_F(HousekeeperTest, WhatCannotBeCollapsedIsLeftAsItIs) {
  // Small, with holes, and gone.
  const ObjectRef small = Write("small", kMiB);
  const ObjectRef sparse = Insert("sparse");
  ASSERT_EQ(::ftruncate(OpenToWrite(sparse).get(), 8 * kMiB), 0);
  const ObjectRef gone = Write("gone", 4 * kMiB);
  EXPECT_TRUE(ARoundPasses());
  orphans_.Add(*table_->unsealed().Abort(gone));
  const uint64_t used = used_bytes();
  for (const ObjectRef& object : {small, sparse, gone}) {
    keeper_->Collapse(object);
  }
  EXPECT_TRUE(ARoundPasses());
  EXPECT_EQ(used_bytes(), used);
  EXPECT_EQ((*table_->sealed().Share(sparse))->Stat()->allocated_bytes, 0u);
}

// A tmpfs with huge pages, which must be there before the house is.
struct HugeMount {
  ScratchMount mount{"tmpfs", "size=64M,huge=within_size"};
};

class CollapsingTest : private HugeMount, public HousekeeperTest {
 protected:
  CollapsingTest()
      : HousekeeperTest(mount.mounted() ? mount.path() : "/dev/shm") {}
  void SetUp() override {
    if (!mount.mounted()) GTEST_SKIP() << std::strerror(mount.error());
  }
  void TearDown() override { keeper_.reset(); }
};

TEST_F(CollapsingTest, WhatGrewByWritesGetsHugePages) {
  const uint64_t bytes = 2 * kTmpfsHugePageBytes;
  const ObjectRef object = Insert("a");
  const UniqueFd fd = OpenToWrite(object);
  for (uint64_t written = 0; written < bytes; written += kMiB / 8) {
    Append(fd, kMiB / 8);
  }
  EXPECT_TRUE(UsesSoon(bytes));
  uint64_t huge_bytes = 0;
  const bool collapsed = Eventually(
      [&] {
        // The kernel leaves out pages that are just being looked at.
        keeper_->Collapse(object);
        auto mapping = Mapping::Map(fd.get(), bytes, PROT_READ);
        EXPECT_EQ(std::count(mapping->data(), mapping->data() + bytes,
                             std::byte{'x'}),
                  static_cast<ptrdiff_t>(bytes));
        huge_bytes = HugeMappedBytes(mapping->data());
        return huge_bytes == bytes;
      },
      std::chrono::seconds(5));
  if (huge_bytes == 0) GTEST_SKIP() << "this kernel collapses no tmpfs files";
  EXPECT_TRUE(collapsed) << huge_bytes;
}

TEST_F(HousekeeperTest, ItEndsWithWorkBeforeIt) {
  for (int i = 0; i < 20; ++i) {
    UniqueFd reader;
    orphans_.Add(MakeDropped(&reader));
    keeper_->Collapse(Write(std::to_string(i), kPage));
    keeper_->PrepareSlab(kSlabBytes);
    keeper_->Wake();
    keeper_.reset();
    Start();
  }
  keeper_.reset();
}

TEST_F(HousekeeperTest, ItsEndWaitsForWhatItIsAt) {
  keeper_.reset();
  std::promise<void> go;
  std::promise<void> begun;
  at_compaction_ = [&] {
    begun.set_value();
    go.get_future().wait();
  };
  Start();
  begun.get_future().wait();
  const int rounds = rounds_;
  std::atomic<bool> ended = false;
  ObservedThread ending([&] {
    keeper_.reset();
    ended = true;
  });
  EXPECT_TRUE(ending.FallsAsleep());
  EXPECT_FALSE(ended);
  go.set_value();
  ending.Join();
  EXPECT_EQ(rounds_, rounds) << "nothing is begun after that";
}

}  // namespace
}  // namespace vitrine::store
