// What happens to the catalog's files: damage, deletion, a full or read-only
// disk.  The objects are always served, and the catalog comes back.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/store/catalog/catalog_fixture.h"

namespace vitrine::store {
namespace {

// Writes `bytes` over a file, as another process.
void Overwrite(const std::string& path, off_t offset, const std::string& bytes,
               bool truncate = false) {
  EXPECT_EQ(InChild([&] {
              const int fd =
                  ::open(path.c_str(), O_WRONLY | (truncate ? O_TRUNC : 0));
              const ssize_t size =
                  ::pwrite(fd, bytes.data(), bytes.size(), offset);
              return size == static_cast<ssize_t>(bytes.size()) ? 0 : 1;
            }),
            0);
}

class CatalogDamageTest : public CatalogTest {
 protected:
  // Ten objects, and a catalog that knows the store.
  void OpenWithObjects() {
    Open();
    catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
    for (uint64_t i = 1; i <= 10; ++i) SealInTable(i);
    Settle();
  }
  void Reopen() {
    catalog_ = Catalog::Open(dir_.path());
    catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  }
  std::vector<std::string> SetAside() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      const std::string name = entry.path().filename();
      if (name.starts_with("catalog.db.damaged-2") && !name.ends_with("-wal") &&
          !name.ends_with("-shm")) {
        names.push_back(name);
      }
    }
    return names;
  }
  // The database was set aside once, and a new one is whole.
  void ExpectBegunAnew() {
    EXPECT_TRUE(Eventually([this] {
      const nlohmann::json status = StatusJson();
      return status["times_damaged"] == 1 && status["pending"] == 0;
    })) << StatusJson().dump();
    EXPECT_EQ(Problem(), "");
    EXPECT_EQ(StatusJson()["degraded"], false);
    ASSERT_EQ(SetAside().size(), 1U);
    EXPECT_EQ(StatusJson()["set_aside"], dir_.path() + "/" + SetAside()[0]);
    EXPECT_EQ(Query("SELECT number FROM sealed"), LivingInTable());
    EXPECT_EQ(Query("PRAGMA integrity_check"), "ok");
    EXPECT_FALSE(std::filesystem::exists(DbPath() + ".restored"));
    SealInTable(4711);
    Settle();
    EXPECT_EQ(Query("SELECT number FROM sealed"), LivingInTable());
  }
};

TEST_F(CatalogDamageTest, AnOverwrittenHeaderWhileTheStoreRuns) {
  OpenWithObjects();
  Overwrite(DbPath(), 0, std::string(100, 'x'));
  SealInTable(11);
  ExpectBegunAnew();
}

TEST_F(CatalogDamageTest, AnOverwrittenHeaderWhileNothingIsWritten) {
  OpenWithObjects();
  Overwrite(DbPath(), 0, std::string(100, 'x'));
  ExpectBegunAnew();
}

TEST_F(CatalogDamageTest, EverythingOverwrittenWhileTheStoreRuns) {
  OpenWithObjects();
  Overwrite(DbPath(), 0, std::string(200000, '\0'));
  Overwrite(DbPath() + "-wal", 0, std::string(200000, '\0'));
  SealInTable(11);
  ExpectBegunAnew();
}

TEST_F(CatalogDamageTest, ATruncatedDatabaseWhileTheStoreRuns) {
  OpenWithObjects();
  Overwrite(DbPath(), 0, "", /*truncate=*/true);
  SealInTable(11);
  ExpectBegunAnew();
}

// What is mapped must not be touched then: it would end the store.
TEST_F(CatalogDamageTest, TruncatedLocksWhileTheStoreRuns) {
  OpenWithObjects();
  Overwrite(DbPath() + "-shm", 0, "", /*truncate=*/true);
  SealInTable(11);
  Settle();
  EXPECT_EQ(Query("SELECT number FROM sealed"), LivingInTable());
  EXPECT_EQ(StatusJson()["times_damaged"], 0);
}

TEST_F(CatalogDamageTest, ATruncatedLogWhileTheStoreRuns) {
  OpenWithObjects();
  Overwrite(DbPath() + "-wal", 0, "", /*truncate=*/true);
  SealInTable(11);
  ExpectBegunAnew();
}

TEST_F(CatalogDamageTest, AnOverwrittenLogWhileTheStoreRuns) {
  OpenWithObjects();
  Overwrite(DbPath() + "-wal", 0, std::string(50000, 'x'));
  SealInTable(11);
  ExpectBegunAnew();
}

TEST_F(CatalogDamageTest, AnotherDatabaseWrittenOverItWhileTheStoreRuns) {
  const std::string other = dir_.path() + "/other.db";
  {
    auto database = sqlite::Database::Open(
        other, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    ASSERT_TRUE(
        database->Execute("PRAGMA application_id = 1; CREATE TABLE mine (a)"));
  }
  std::ifstream file(other);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  OpenWithObjects();
  Overwrite(DbPath(), 0, bytes, /*truncate=*/true);
  SealInTable(11);
  ExpectBegunAnew();
}

TEST_F(CatalogDamageTest, GarbageAtTheStart) {
  const std::string garbage(100000, 'x');
  std::ofstream(DbPath()) << garbage;
  Reopen();
  EXPECT_EQ(Problem(), "");
  Settle();
  ExpectBegunAnew();
  std::ifstream file(dir_.path() + "/" + SetAside()[0]);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), garbage);
}

TEST_F(CatalogDamageTest, AnOverwrittenHeaderAtTheStart) {
  OpenWithObjects();
  catalog_.reset();
  Overwrite(DbPath(), 0, std::string(100, '\0'));
  Reopen();
  ExpectBegunAnew();
}

TEST_F(CatalogDamageTest, DamagedPagesAtTheStart) {
  Open();
  for (uint64_t i = 1; i <= 5000; ++i) SealInTable(i);
  catalog_.reset();
  const auto size = std::filesystem::file_size(DbPath());
  Overwrite(DbPath(), 4096, std::string(size - 4096, '\x5a'));
  Reopen();
  ExpectBegunAnew();
}

TEST_F(CatalogDamageTest, LostTablesAtTheStart) {
  OpenWithObjects();
  catalog_.reset();
  {
    sqlite::Database stranger = Stranger();
    ASSERT_TRUE(stranger.Execute("DROP TABLE events"));
  }
  Reopen();
  ExpectBegunAnew();
}

TEST_F(CatalogDamageTest, OfManyDamagedOnesTheNewestStay) {
  for (int i = 0; i < 12; ++i) {
    catalog_.reset();
    std::ofstream(DbPath()) << std::string(100000, 'x');
    Reopen();
  }
  Settle();
  EXPECT_EQ(SetAside().size(), 8U);
}

// --- what is no damage ---

TEST_F(CatalogDamageTest, ANewerVersionStaysAndIsNoReasonNotToStart) {
  OpenWithObjects();
  catalog_.reset();
  ASSERT_TRUE(Stranger().Execute("PRAGMA user_version = 4711"));
  Reopen();
  EXPECT_NE(Problem().find("4711"), std::string::npos) << Problem();
  const std::string known = std::to_string(CatalogMigrations().size());
  EXPECT_NE(Problem().find("up to " + known), std::string::npos) << Problem();
  EXPECT_NE(Problem().find("; move " + DbPath()), std::string::npos)
      << Problem();
  EXPECT_TRUE(SetAside().empty());
  ASSERT_TRUE(Stranger().Execute(("PRAGMA user_version = " + known).c_str()));
  Settle();
}

TEST_F(CatalogDamageTest, ADatabaseOfAnotherProgramStays) {
  {
    auto database = sqlite::Database::Open(
        DbPath(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    ASSERT_TRUE(database->Execute("CREATE TABLE mine (a)"));
  }
  Reopen();
  SealInTable(1);
  EXPECT_NE(Problem().find("not a catalog"), std::string::npos) << Problem();
  EXPECT_NE(Problem().find("; move " + DbPath()), std::string::npos)
      << Problem();
  std::filesystem::rename(DbPath(), DbPath() + ".mine");
  Settle();
  EXPECT_EQ(Query("SELECT number FROM sealed"), LivingInTable());
}

TEST_F(CatalogDamageTest, AMissingDirectoryIsToldAndOvercome) {
  const std::string dir = dir_.path() + "/none";
  catalog_ = Catalog::Open(dir);
  SealInTable(1);
  catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  EXPECT_NE(Problem().find("No such file"), std::string::npos) << Problem();
  EXPECT_NE(Problem().find("; make " + dir), std::string::npos) << Problem();
  std::filesystem::create_directory(dir);
  Settle();
  EXPECT_EQ(StatusJson()["degraded"], false);
}

TEST_F(CatalogDamageTest, AnUnwritableDirectoryIsTold) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  const int answer = InChild([this] {
    if (::setresuid(kNobody, kNobody, kNobody) != 0) return 2;
    const auto catalog = Catalog::Open(dir_.path());
    const std::string problem = ToJson(catalog->GetStatus())["problem"];
    if (problem.find("Permission denied") == std::string::npos) return 3;
    return problem.find("; let user 65534 write to " + dir_.path()) ==
                   std::string::npos
               ? 4
               : 0;
  });
  EXPECT_EQ(answer, 0);
}

TEST_F(CatalogDamageTest, ADirectoryInItsPlaceIsTold) {
  std::filesystem::create_directory(DbPath());
  EXPECT_NE(OpenProblem().find(DbPath()), std::string::npos) << Problem();
  EXPECT_NE(Problem().find("; move "), std::string::npos) << Problem();
}

TEST_F(CatalogDamageTest, AReadOnlyDiskIsToldAndOvercome) {
  const ScratchMount mount("tmpfs", "size=8m");
  if (!mount.mounted()) GTEST_SKIP() << "cannot mount a tmpfs";
  const auto remount = [&](unsigned long flags) {
    return ::mount(nullptr, mount.path().c_str(), nullptr, MS_REMOUNT | flags,
                   nullptr) == 0;
  };
  const std::string db = mount.path() + "/catalog.db";
  for (const bool exists : {false, true}) {
    ASSERT_TRUE(remount(MS_RDONLY));
    catalog_ = Catalog::Open(mount.path());
    catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
    SealInTable(exists ? 2 : 1);
    EXPECT_NE(Problem().find(db), std::string::npos) << Problem();
    EXPECT_NE(Problem().find("; mount the file system of " + mount.path()),
              std::string::npos)
        << Problem();
    ASSERT_TRUE(remount(0));
    Settle();
    EXPECT_EQ(Problem(), "");
    catalog_->DropReconcile();
    catalog_.reset();
    auto database = sqlite::Database::Open(db, SQLITE_OPEN_READWRITE);
    EXPECT_EQ(*database->QueryInteger("SELECT count(*) FROM sealed"),
              exists ? 2 : 1);
  }
}

TEST_F(CatalogDamageTest, AFullDiskAtTheStartIsToldAndOvercome) {
  const ScratchMount mount("tmpfs", "size=2m");
  if (!mount.mounted()) GTEST_SKIP() << "cannot mount a tmpfs";
  const std::string filler = mount.path() + "/filler";
  std::ofstream(filler) << std::string(4 << 20, 'x');
  catalog_ = Catalog::Open(mount.path());
  catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  SealInTable(1);
  EXPECT_NE(Problem().find("; make room on"), std::string::npos) << Problem();
  std::filesystem::remove(filler);
  Settle();
  EXPECT_EQ(Problem(), "");
  EXPECT_EQ(StatusJson()["times_damaged"], 0);
}

TEST_F(CatalogDamageTest, FullDiskIsToldAndOvercome) {
  const ScratchMount mount("tmpfs", "size=2m");
  if (!mount.mounted()) GTEST_SKIP() << "cannot mount a tmpfs";
  auto catalog = Catalog::Open(mount.path());
  const std::string filler = mount.path() + "/filler";
  std::ofstream(filler) << std::string(4 << 20, 'x');
  uint64_t number = 0;
  ASSERT_TRUE(Eventually([&] {
    for (int i = 0; i < 20; ++i) {
      ++number;
      const ObjectInfo info = Info(number, std::string(200, 'n'));
      catalog->OnEvent({ObjectEventKind::kSealed, info, info.id});
    }
    return ToJson(catalog->GetStatus())["failed"] > 0;
  }));
  const std::string error = ToJson(catalog->GetStatus())["last_error"];
  EXPECT_NE(error.find("full"), std::string::npos) << error;
  EXPECT_NE(error.find("make room on the file system of " + mount.path()),
            std::string::npos)
      << error;
  std::filesystem::remove(filler);
  EXPECT_TRUE(Eventually([&] {
    return ToJson(catalog->GetStatus())["pending"] == 0;
  })) << ToJson(catalog->GetStatus()).dump();
  EXPECT_EQ(ToJson(catalog->GetStatus())["degraded"], false);
  catalog.reset();
  auto database = sqlite::Database::Open(mount.path() + "/catalog.db",
                                         SQLITE_OPEN_READWRITE);
  ASSERT_TRUE(database);
  EXPECT_EQ(*database->QueryInteger("SELECT count(*) FROM sealed"),
            static_cast<int64_t>(number));
}

// --- files that were deleted or replaced ---

TEST_F(CatalogDamageTest, DeletedCatalogComesBackWhole) {
  Open();
  Seal(1, "before");
  Settle();
  std::string expected = "before";
  uint64_t number = 2;
  for (const std::vector<const char*>& suffixes :
       std::vector<std::vector<const char*>>{
           {"", "-shm"}, {"", "-wal", "-shm"}, {"-wal"}, {"-shm"}}) {
    for (const char* suffix : suffixes) {
      ASSERT_TRUE(std::filesystem::remove(DbPath() + suffix));
    }
    Seal(number, "after" + std::to_string(number));
    expected += ",after" + std::to_string(number++);
    Settle();
    EXPECT_EQ(Query("SELECT group_concat(id) FROM sealed"), expected);
  }
  struct stat info;
  ASSERT_EQ(::stat(DbPath().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  catalog_.reset();
  Open();
  EXPECT_EQ(Query("SELECT group_concat(id) FROM sealed"), expected);
  EXPECT_TRUE(SetAside().empty());
  EXPECT_FALSE(std::filesystem::exists(DbPath() + ".restored"));
}

TEST_F(CatalogDamageTest, HalfACopyOfAKilledStoreGoes) {
  for (const char* suffix : {".restored", ".new", "-wal.new"}) {
    std::ofstream(DbPath() + suffix) << "half";
  }
  Open();
  for (const char* suffix : {".restored", ".new", "-wal.new"}) {
    EXPECT_FALSE(std::filesystem::exists(DbPath() + suffix)) << suffix;
  }
}

TEST_F(CatalogDamageTest, ADirectoryThatWasRemovedComesBackWhole) {
  const std::string dir = dir_.path() + "/state";
  std::filesystem::create_directory(dir);
  catalog_ = Catalog::Open(dir);
  Seal(1, "before");
  Settle();
  std::filesystem::remove_all(dir);
  Seal(2, "after");
  ASSERT_TRUE(Eventually([this] { return Problem() != ""; }));
  EXPECT_NE(Problem().find("; make " + dir), std::string::npos) << Problem();
  std::filesystem::create_directory(dir);
  Settle();
  auto database =
      sqlite::Database::Open(dir + "/catalog.db", SQLITE_OPEN_READWRITE);
  ASSERT_TRUE(database);
  EXPECT_EQ(*database->QueryInteger("SELECT count(*) FROM sealed"), 2);
}

TEST_F(CatalogDamageTest, ACopyThatReplacesItIsReconciled) {
  OpenWithObjects();
  catalog_.reset();
  std::filesystem::copy_file(DbPath(), DbPath() + ".copy");
  Reopen();
  DeleteInTable(1);
  SealInTable(11);
  Settle();
  std::filesystem::rename(DbPath() + ".copy", DbPath());
  SealInTable(12);
  EXPECT_TRUE(Eventually([this] {
    return StatusJson()["pending"] == 0 &&
           Query("SELECT number FROM sealed") == LivingInTable();
  })) << Query("SELECT number FROM sealed");
  EXPECT_EQ(Query("PRAGMA integrity_check"), "ok");
}

TEST_F(CatalogDamageTest, GarbageThatReplacesItIsSetAside) {
  OpenWithObjects();
  std::ofstream(DbPath() + ".new") << std::string(100000, 'x');
  std::filesystem::rename(DbPath() + ".new", DbPath());
  SealInTable(11);
  ExpectBegunAnew();
}

}  // namespace
}  // namespace vitrine::store
