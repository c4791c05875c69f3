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

TEST_F(CatalogTest, NewerVersionIsRefusedWithBothVersionsInTheMessage) {
  Open();
  catalog_.reset();
  ASSERT_TRUE(Stranger().Execute("PRAGMA user_version = 4711"));
  std::string message;
  EXPECT_EQ(OpenError(&message), Code::kVersionMismatch);
  EXPECT_NE(message.find("4711"), std::string::npos) << message;
  const std::string known = std::to_string(CatalogMigrations().size());
  EXPECT_NE(message.find("up to " + known), std::string::npos) << message;
}

TEST_F(CatalogTest, GarbageIsCorruptionAndStaysAsItIs) {
  const std::string garbage(100000, 'x');
  std::ofstream(DbPath()) << garbage;
  std::string message;
  EXPECT_EQ(OpenError(&message), Code::kCorruption);
  EXPECT_NE(message.find("move "), std::string::npos) << message;
  std::ifstream file(DbPath());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), garbage);
}

TEST_F(CatalogTest, DatabaseOfAnotherProgramIsRefused) {
  auto database = sqlite::Database::Open(
      DbPath(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->Execute("CREATE TABLE mine (a)"));
  *database = sqlite::Database();
  std::string message;
  EXPECT_EQ(OpenError(&message), Code::kCorruption);
  EXPECT_NE(message.find("not a catalog"), std::string::npos) << message;
}

TEST_F(CatalogTest, DamagedPagesAreCorruption) {
  Open();
  for (uint64_t i = 1; i <= 5000; ++i) Seal(i, "object-" + std::to_string(i));
  catalog_.reset();
  const auto size = std::filesystem::file_size(DbPath());
  {
    std::fstream file(DbPath(), std::ios::in | std::ios::out);
    file.seekp(4096);
    file << std::string(size - 4096, '\x5a');
  }
  auto catalog = Catalog::Open(dir_.path());
  const Status status =
      catalog ? (*catalog)->Reconcile({}) : Status(catalog.error());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kCorruption);
}

TEST_F(CatalogTest, MissingDirectoryIsAClearError) {
  const auto catalog = Catalog::Open(dir_.path() + "/none");
  ASSERT_FALSE(catalog);
  EXPECT_NE(catalog.error().message.find("No such file"), std::string::npos);
  EXPECT_NE(catalog.error().message.find("none/catalog.db"), std::string::npos);
}

TEST_F(CatalogTest, UnwritableDirectoryIsAClearError) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  const int answer = InChild([this] {
    if (::setresuid(kNobody, kNobody, kNobody) != 0) return 2;
    const auto catalog = Catalog::Open(dir_.path());
    if (catalog) return 3;
    return catalog.error().message.find("Permission denied") ==
                   std::string::npos
               ? 4
               : 0;
  });
  EXPECT_EQ(answer, 0);
}

TEST_F(CatalogTest, DirectoryInItsPlaceIsAClearError) {
  std::filesystem::create_directory(DbPath());
  EXPECT_EQ(OpenError(), Code::kIoError);
}

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
    EXPECT_NE(status["last_error"], "");
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

TEST_F(CatalogTest, FullDiskIsToldAndOvercome) {
  const ScratchMount mount("tmpfs", "size=2m");
  if (!mount.mounted()) GTEST_SKIP() << "cannot mount a tmpfs";
  auto catalog = Catalog::Open(mount.path());
  ASSERT_TRUE(catalog) << catalog.error().ToString();
  const std::string filler = mount.path() + "/filler";
  std::ofstream(filler) << std::string(4 << 20, 'x');
  uint64_t number = 0;
  ASSERT_TRUE(Eventually([&] {
    for (int i = 0; i < 20; ++i) {
      ++number;
      const ObjectInfo info = Info(number, std::string(200, 'n'));
      (*catalog)->OnEvent({ObjectEventKind::kSealed, info, info.id});
    }
    return ToJson((*catalog)->GetStatus())["failed"] > 0;
  }));
  const std::string error = ToJson((*catalog)->GetStatus())["last_error"];
  EXPECT_NE(error.find("full"), std::string::npos) << error;
  std::filesystem::remove(filler);
  EXPECT_TRUE(Eventually([&] {
    return ToJson((*catalog)->GetStatus())["pending"] == 0;
  })) << ToJson((*catalog)->GetStatus()).dump();
  EXPECT_EQ(ToJson((*catalog)->GetStatus())["degraded"], false);
  catalog->reset();
  auto database = sqlite::Database::Open(mount.path() + "/catalog.db",
                                         SQLITE_OPEN_READWRITE);
  ASSERT_TRUE(database);
  EXPECT_EQ(*database->QueryInteger("SELECT count(*) FROM sealed"),
            static_cast<int64_t>(number));
}

TEST_F(CatalogTest, DeletedCatalogComesBackWhole) {
  Open();
  Seal(1, "before");
  Settle();
  for (const char* suffix : {"", "-shm"}) {
    ASSERT_TRUE(std::filesystem::remove(DbPath() + suffix));
  }
  Seal(2, "after");
  Settle();
  EXPECT_EQ(Query("SELECT group_concat(id) FROM sealed"), "before,after");
  struct stat info;
  ASSERT_EQ(::stat(DbPath().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
  catalog_.reset();
  Open();
  EXPECT_EQ(Query("SELECT group_concat(id) FROM sealed"), "before,after");
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
