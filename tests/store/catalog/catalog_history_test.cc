// What the catalog says of objects, of clients, and of their history.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "tests/store/catalog/catalog_fixture.h"

namespace vitrine::store {
namespace {

TEST_F(CatalogTest, ReconcileMarksWhatIsNotThereAsLost) {
  Open();
  catalog_->ClientConnected(1, "c", 2, 3);
  for (uint64_t i = 1; i <= 4; ++i) Seal(i, "o" + std::to_string(i));
  Create(5, "unsealed");
  Tell(ObjectEventKind::kDeleted, Info(4, "o4", ObjectState::kGone));
  Settle();
  Open();
  ObjectInfo unknown = Info(9, "written-too-late");
  unknown.hold = true;
  const std::vector<ObjectInfo> live = {Info(1, "o1"), Info(3, "o3"), unknown};
  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(catalog_->Reconcile(live));
    EXPECT_EQ(Query("SELECT number, id, state, hold FROM objects"),
              "1|o1|sealed|0\n2|o2|lost|0\n3|o3|sealed|0\n4|o4|deleted|0\n"
              "5|unsealed|aborted|0\n9|written-too-late|sealed|1");
    EXPECT_EQ(Query("SELECT kind, object FROM events WHERE reason IS NOT NULL"),
              "lost|2\naborted|5");
  }
  EXPECT_EQ(Query("SELECT count(*) FROM objects WHERE gone_ns IS NULL"
                  " AND tier IS NOT 'memory'"),
            "0");
  EXPECT_EQ(Query("SELECT disconnected_ns IS NULL FROM clients"), "0");
  Seal(10, "later");
  Settle();
  EXPECT_EQ(Query("SELECT kind, object FROM events ORDER BY sequence DESC"
                  " LIMIT 1"),
            "sealed|10");
}

// Invariant of CatalogReconcile.
TEST_F(CatalogTest, ReconcilingLaterComesBeforeWhatIsToldMeanwhile) {
  Open();
  Seal(1, "lost");
  Seal(2, "kept");
  Settle();
  Open();
  std::promise<void> go;
  table_.go = go.get_future().share();
  table_.objects.emplace(2, Info(2, "kept"));
  table_.objects.emplace(3, Info(3, "unknown"));
  catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  EXPECT_EQ(StatusJson()["reconciling"], 2);
  EXPECT_GE(StatusJson()["pending"], 2);
  DeleteInTable(3);
  SealInTable(4);
  EXPECT_EQ(Query("SELECT count(*) FROM objects"), "2");
  go.set_value();
  Settle();
  EXPECT_EQ(StatusJson()["reconciling"], 0);
  EXPECT_EQ(Query("SELECT number, id, state FROM objects"),
            "1|lost|lost\n2|kept|sealed\n3|unknown|deleted\n4|o4|sealed");
}

TEST_F(CatalogTest, AReconcileThatWasDroppedAsksNobodyAnyMore) {
  Open();
  {
    FakeTable table;
    table.objects.emplace(1, Info(1, "o"));
    catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table));
    catalog_->DropReconcile();
  }
  Seal(2, "later");
  Settle();
  EXPECT_EQ(StatusJson()["reconciling"], 0);
}

TEST_F(CatalogTest, OfManyLostOnesTheNewestAreKnown) {
  CatalogLimits limits;
  limits.history_rows = 20;
  Open(limits);
  for (uint64_t i = 1; i <= 100; ++i) Seal(i, "o" + std::to_string(i));
  ASSERT_TRUE(catalog_->Reconcile({Info(1, "o1")}));
  EXPECT_EQ(Query("SELECT count(*), min(number), max(number) FROM gone"),
            "20|81|100");
  EXPECT_EQ(Query("SELECT id FROM sealed"), "o1");
  EXPECT_EQ(Query("SELECT count(*), min(kind) FROM events"), "20|lost");
}

TEST_F(CatalogTest, NumberUsedAgainReplacesTheHistoryOfTheOldOne) {
  Open();
  Seal(1, "old");
  ASSERT_TRUE(catalog_->Reconcile({}));
  Create(1, "new");
  Settle();
  EXPECT_EQ(Query("SELECT id, state, gone_ns, gone_reason FROM objects"),
            "new|unsealed||");
}

TEST_F(CatalogTest, HistoryIsBounded) {
  CatalogLimits limits;
  limits.history_rows = 100;
  Open(limits);
  for (uint64_t i = 1; i <= 1000; ++i) {
    const std::string id = "o" + std::to_string(i);
    Seal(i, id);
    if (i % 50 == 0) Settle();
    Tell(ObjectEventKind::kEvicted, Info(i, id, ObjectState::kGone));
    catalog_->ClientConnected(i, "c", 1, 2);
    catalog_->ClientDisconnected(i);
  }
  Seal(5000, "stays");
  Settle();
  for (const char* table : {"events", "gone", "clients"}) {
    const std::string sql = std::string("SELECT count(*) FROM ") + table;
    EXPECT_GE(std::stoi(Query(sql)), 90) << table;
    EXPECT_LE(std::stoi(Query(sql)), 105) << table;
  }
  EXPECT_EQ(Query("SELECT max(number) FROM gone"), "1000");
  EXPECT_EQ(Query("SELECT id FROM sealed"), "stays");
}

TEST_F(CatalogTest, DestructionWritesEverything) {
  Open();
  for (uint64_t i = 1; i <= 3000; ++i) Seal(i, "o" + std::to_string(i));
  catalog_.reset();
  EXPECT_EQ(Query("SELECT count(*) FROM sealed"), "3000");
  EXPECT_EQ(std::filesystem::file_size(DbPath() + "-wal"), 0u);
}

TEST_F(CatalogTest, AfterPendingRunsOnceItIsCommitted) {
  Open();
  int calls = 0;
  catalog_->AfterPending([&] { ++calls; });
  EXPECT_EQ(calls, 1) << "nothing is pending";
  std::atomic<int> later = 0;
  std::string seen;
  Seal(1, "a");
  catalog_->AfterPending([&] {
    seen = Query("SELECT id FROM sealed");
    ++later;
  });
  ASSERT_TRUE(Eventually([&] { return later == 1; }));
  EXPECT_EQ(seen, "a");
}

TEST_F(CatalogTest, ObjectsAreTrackedFromCreationToDeletion) {
  Open();
  Create(1, "draft");
  Settle();
  EXPECT_EQ(Query("SELECT id, mode FROM unsealed"), "draft|0640");
  EXPECT_EQ(Query("SELECT sealed_ns IS NULL FROM objects"), "1");
  ObjectInfo info = Info(1, "draft2", ObjectState::kUnsealed);
  catalog_->OnEvent(
      {ObjectEventKind::kRenamed, info, *ObjectId::FromText("draft")});
  Settle();
  EXPECT_EQ(Query("SELECT id FROM unsealed"), "draft2");
  info = Info(1, "final");
  catalog_->OnEvent(
      {ObjectEventKind::kSealed, info, *ObjectId::FromText("draft2")});
  Settle();
  EXPECT_EQ(Query("SELECT number, id, size_bytes, charged_bytes, tier, segment,"
                  " mode, uid, gid, creator_pid, created_ns, sealed_ns,"
                  " used_ns, use_count, hold FROM sealed"),
            "1|final|1001|4096|memory|1|0640|7|8|9|10|12|13|14|0");
  info.hold = true;
  Tell(ObjectEventKind::kHoldChanged, info);
  Settle();
  EXPECT_EQ(Query("SELECT hold FROM sealed"), "1");
  EXPECT_EQ(Query("SELECT count(*) FROM eviction_order"), "0");
  info.state = ObjectState::kGone;
  Tell(ObjectEventKind::kDeleted, info);
  Settle();
  EXPECT_EQ(Query("SELECT id, state, gone_ns > 0, gone_reason FROM gone"),
            "final|deleted|1|deleted by its owner or root");
  EXPECT_EQ(Query("SELECT kind, id, reason FROM log"),
            "created|draft|\nrenamed|draft2|was draft\n"
            "sealed|final|was draft2\nheld|final|\ndeleted|final|");
}

TEST_F(CatalogTest, UsesAreRecordedButRaiseNobodyFromTheDead) {
  Open();
  Seal(1, "a");
  Seal(2, "b");
  Tell(ObjectEventKind::kEvicted, Info(2, "b", ObjectState::kGone));
  ObjectInfo a = Info(1, "a");
  ObjectInfo b = Info(2, "b");
  a.used_ns = b.used_ns = 1000;
  a.use_count = b.use_count = 99;
  catalog_->RecordUses({a, b});
  Settle();
  EXPECT_EQ(Query("SELECT id, used_ns, use_count FROM sealed"), "a|1000|99");
  EXPECT_EQ(Query("SELECT id, use_count FROM gone"), "b|14");
}

TEST_F(CatalogTest, ClientsComeAndGo) {
  Open();
  catalog_->ClientConnected(1, "one", 11, 21);
  catalog_->ClientConnected(2, "two", 12, 22);
  Settle();
  catalog_->ClientDisconnected(1);
  catalog_->ClientDisconnected(77);  // Nobody knows it.
  Settle();
  EXPECT_EQ(Query("SELECT id, name, pid, uid, disconnected_ns IS NULL"
                  " FROM clients"),
            "1|one|11|21|0\n2|two|12|22|1");
}

TEST_F(CatalogTest, OddIdsComeBackAsTheyWere) {
  Open();
  const std::string odd = "\xff\xfe'; DROP TABLE objects; --\n";
  Seal(1, odd);
  Settle();
  EXPECT_EQ(Query("SELECT id FROM sealed"), odd);
}

TEST_F(CatalogTest, EventsOfManyThreadsAllArrive) {
  Open();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (uint64_t i = 1; i <= 2000; ++i) {
        const uint64_t number = t * 10000 + i;
        Create(number, "o" + std::to_string(number));
        Seal(number, "o" + std::to_string(number));
        if (i % 500 == 0) (void)StatusJson();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Settle();
  EXPECT_EQ(Query("SELECT count(*) FROM sealed"), "8000");
  EXPECT_EQ(Query("SELECT count(*), max(sequence) FROM events"), "16000|16000");
}

TEST_F(CatalogTest, ViewsCanBeRead) {
  Open();
  Seal(1, "a");
  Settle();
  for (const char* view :
       {"sealed", "unsealed", "gone", "eviction_order", "log"}) {
    EXPECT_EQ(Query(std::string("SELECT 1 FROM ") + view + " LIMIT 0"), "")
        << view;
  }
  EXPECT_EQ(Query("SELECT * FROM usage"), "7|sealed|1|1001|4096|0");
}

}  // namespace
}  // namespace vitrine::store
