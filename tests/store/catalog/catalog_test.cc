#include "store/catalog/catalog.h"

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

TEST_F(CatalogTest, LockedCatalogIsWrittenLater) {
  Open();
  sqlite::Database stranger = Stranger();
  {
    auto transaction = sqlite::Transaction::Begin(&stranger);
    ASSERT_TRUE(transaction);
    Seal(1, "a");
    ASSERT_TRUE(Eventually([this] { return StatusJson()["failed"] > 1; }));
    const nlohmann::json status = StatusJson();
    EXPECT_EQ(status["degraded"], true);
    EXPECT_GT(status["pending"], 0);
    EXPECT_GT(status["lag_ms"], 0);
    const std::string problem = status["problem"];
    EXPECT_NE(problem.find(DbPath()), std::string::npos) << problem;
    EXPECT_NE(problem.find("; end "), std::string::npos) << problem;
  }
  Settle();
  EXPECT_EQ(Query("SELECT id, state FROM objects"), "a|sealed");
  EXPECT_EQ(StatusJson()["degraded"], false);
}

TEST_F(CatalogTest, NobodyWaitsForACatalogThatCannotBeWritten) {
  Open();
  sqlite::Database stranger = Stranger();
  auto transaction = sqlite::Transaction::Begin(&stranger);
  ASSERT_TRUE(transaction);
  for (int i = 0; i < 2; ++i) {
    Seal(1, "a");
    std::atomic<bool> done = false;
    catalog_->AfterPending([&] { done = true; });
    EXPECT_TRUE(Eventually([&] { return done.load(); }));
  }
}

// Invariant (2) of CatalogBatch.
TEST_F(CatalogTest, BatchNeverHasMoreObjectsThanItsLimit) {
  CatalogLimits limits;
  limits.pending_rows = 100;
  limits.history_rows = 50;
  CatalogBatch batch(limits);
  const auto add = [&batch](uint64_t number) {
    const ObjectInfo info = Info(number, "o" + std::to_string(number));
    batch.AddEvent({{ObjectEventKind::kSealed, info, info.id}, 1, 1}, true);
  };
  for (uint64_t i = 1; i <= 1000; ++i) {
    add(i);
    EXPECT_LE(batch.rows(), 150u);
    EXPECT_EQ(batch.overflowed(), i > 100);
  }
  EXPECT_TRUE(batch.objects().empty()) << "some would be worse than none";
  EXPECT_EQ(batch.dropped().objects, 100u);
  EXPECT_EQ(batch.dropped().events, 950u);
  batch.ForgetObjects();
  add(1);
  EXPECT_EQ(batch.objects().size(), 1u);
}

TEST_F(CatalogTest, AfterARushThatCannotBeWrittenExactlyTheLivingAreThere) {
  CatalogLimits limits;
  limits.pending_rows = 100;
  limits.history_rows = 50;
  Open(limits);
  catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  SealInTable(1);
  Settle();
  sqlite::Database stranger = Stranger();
  {
    auto transaction = sqlite::Transaction::Begin(&stranger);
    ASSERT_TRUE(transaction);
    for (uint64_t i = 2; i <= 20000; ++i) {
      SealInTable(i);
      if (i % 100 != 0) DeleteInTable(i);
    }
    DeleteInTable(1);
    const nlohmann::json status = StatusJson();
    EXPECT_EQ(status["degraded"], true) << status.dump();
    EXPECT_EQ(status["behind"], true);
    EXPECT_GT(status["times_behind"], 0);
    EXPECT_GT(status["dropped"]["events"], 1000);
    EXPECT_LE(status["pending"], 400) << status.dump();
    EXPECT_TRUE(Eventually([this] { return StatusJson()["lag_ms"] > 0; }));
  }
  Settle();
  EXPECT_EQ(Query("SELECT number FROM sealed"), LivingInTable());
  EXPECT_EQ(Query("SELECT number FROM objects WHERE gone_ns IS NULL"),
            LivingInTable());
  // Its deletion may have found room among what waits to be written.
  const std::string went =
      Query("SELECT state, gone_reason FROM objects WHERE number = 1");
  EXPECT_TRUE(went == "lost|went while the catalog was behind" ||
              went.starts_with("deleted|"))
      << went;
  const nlohmann::json status = StatusJson();
  EXPECT_EQ(status["degraded"], false) << status.dump();
  EXPECT_EQ(status["lag_ms"], 0);
  DeleteInTable(100);
  Settle();
  EXPECT_EQ(Query("SELECT state FROM objects WHERE number = 100"), "deleted");
}

TEST_F(CatalogTest, RushesDuringAReconcileAreReconciledToo) {
  CatalogLimits limits;
  limits.pending_rows = 64;
  limits.history_rows = 64;
  Open(limits);
  catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  uint64_t number = 0;
  for (int rush = 0; rush < 30; ++rush) {
    for (int i = 0; i < 1000; ++i) {
      SealInTable(++number);
      if (i % 3 == 0) DeleteInTable(number);
      if (i % 7 == 0 && number > 500 && table_.objects.contains(number - 500)) {
        DeleteInTable(number - 500);
      }
    }
    // It begins to reconcile, and the next one comes.
    if (rush % 2 == 0) {
      EXPECT_TRUE(Eventually([this] { return !IsBehind(); }));
    }
  }
  Settle();
  EXPECT_GT(StatusJson()["times_behind"], 1);
  EXPECT_EQ(Query("SELECT number FROM sealed"), LivingInTable());
}

TEST_F(CatalogTest, KilledWhileItIsBehindLeavesAWholeDatabase) {
  for (int round = 0; round < 5; ++round) {
    KillAtWord(1 + round, [this](const auto& say) {
      CatalogLimits limits;
      limits.pending_rows = 100;
      Open(limits);
      catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
      for (uint64_t i = 1;; ++i) {
        SealInTable(i % 10000 + 1);
        if (i % 10000 == 0 && IsBehind()) say();
      }
    });
    EXPECT_EQ(Query("PRAGMA integrity_check"), "ok");
    Open();
    EXPECT_TRUE(catalog_->Reconcile({Info(5, "o5")}));
    catalog_.reset();
    EXPECT_EQ(Query("SELECT number FROM sealed"), "5");
  }
}

TEST_F(CatalogTest, ReaderThatNeverEndsDoesNotGrowTheLogForEver) {
  CatalogLimits limits;
  limits.wal_bytes = 1 << 20;
  Open(limits);
  Seal(1, "first");
  Settle();
  sqlite::Database reader = Stranger();
  ASSERT_TRUE(reader.Execute("BEGIN; SELECT * FROM objects"));
  uint64_t number = 2;
  nlohmann::json status;
  ASSERT_TRUE(Eventually([&] {
    status = StatusJson();
    for (int i = 0; i < 500 && status["pending"] == 0; ++i, ++number) {
      Seal(number, "object-" + std::to_string(number));
    }
    return status["failed"] > 0;
  }));
  EXPECT_EQ(status["degraded"], true);
  const std::string error = status["last_error"];
  EXPECT_NE(error.find("write-ahead log"), std::string::npos) << error;
  EXPECT_EQ(*reader.QueryInteger("SELECT count(*) FROM objects"), 1);
  ASSERT_TRUE(reader.Execute("COMMIT"));
  Settle();
  EXPECT_EQ(Query("SELECT count(*) FROM sealed"), std::to_string(number - 1));
  EXPECT_LT(std::filesystem::file_size(DbPath() + "-wal"), 16u << 20);
}

// Invariant (1) of CatalogWriter.
TEST_F(CatalogTest, KilledWhileWritingLeavesAWholeDatabase) {
  for (int round = 0; round < 5; ++round) {
    // At a commit, while there is more to write.
    KillAtWord(3 + round, [this](const auto& say) {
      Open();
      for (uint64_t i = 1;; ++i) {
        Seal(i, "o" + std::to_string(i));
        if (i % 1000 == 0) catalog_->AfterPending(say);
        if (i % 5000 == 0) Settle();
      }
    });
    EXPECT_EQ(Query("PRAGMA integrity_check"), "ok");
    Open();
    EXPECT_TRUE(catalog_->Reconcile({}));
    catalog_.reset();
  }
}

}  // namespace
}  // namespace vitrine::store
