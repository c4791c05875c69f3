// Who may read the catalog, and what those who may can do to the store.
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

// The bytes of the -shm file that a writer locks.
constexpr off_t kWriterLocks = 120;
constexpr const char* kSuffixes[] = {"", "-wal", "-shm"};

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
}

bool BecomeNobody() {
  return ::getuid() != 0 || (::setresgid(kNobody, kNobody, kNobody) == 0 &&
                             ::setresuid(kNobody, kNobody, kNobody) == 0);
}

// Opens the file for reading, and locks as much of it as a reader can.
bool HoldReadLocks(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_start = kWriterLocks;
  lock.l_len = 8;
  return fd >= 0 && ::fcntl(fd, F_SETLK, &lock) == 0;
}

TEST_F(CatalogTest, ByDefaultOnlyItsOwnerCanOpenIt) {
  const mode_t umask_before = ::umask(0);
  Open();
  Seal(1, "a");
  Settle();
  ::umask(umask_before);
  for (const char* suffix : kSuffixes) {
    EXPECT_EQ(ModeOf(DbPath() + suffix), 0600U) << suffix;
  }
}

TEST_F(CatalogTest, WithItsModeAnybodyMayReadItAtAnyTime) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  const mode_t umask_before = ::umask(0077);
  const Bystander nobody([this] {
    if (::getuid() == 0 && ::setresgid(kNobody, kNobody, kNobody) != 0) {
      return 'g';
    }
    if (::setresuid(kNobody, kNobody, kNobody) != 0) {
      return 'u';
    }
    return Query("SELECT id FROM sealed") == "a" ? 'y' : 'n';
  });
  Open({}, 0644);
  Seal(1, "a");
  Settle();
  EXPECT_EQ(nobody.Ask(), 'y') << "while it runs";
  catalog_.reset();
  EXPECT_EQ(nobody.Ask(), 'y') << "after a clean stop";
  const int killed = InChild([this]() -> int {
    const auto catalog = Catalog::Open(dir_.path(), {}, 0644);
    std::atomic<bool> done = false;
    const ObjectInfo info = Info(2, "b", ObjectState::kUnsealed);
    catalog->OnEvent({ObjectEventKind::kCreated, info, info.id});
    catalog->AfterPending([&] {
      done = true;
      done.notify_all();
    });
    done.wait(false);
    ::_exit(0);  // With no destructor.
  });
  EXPECT_EQ(killed, 0);
  EXPECT_EQ(nobody.Ask(), 'y') << "after a crash";
  ::umask(umask_before);
}

TEST_F(CatalogTest, ItsModeMayChangeFromStartToStart) {
  for (const mode_t mode : {0644U, 0600U, 0640U, 0644U}) {
    Open({}, mode);
    Seal(mode, "o" + std::to_string(mode));
    Settle();
    for (const char* suffix : kSuffixes) {
      EXPECT_EQ(ModeOf(DbPath() + suffix), mode) << suffix;
    }
    catalog_.reset();
  }
  EXPECT_EQ(Query("SELECT count(*) FROM objects"), "3") << "nothing is lost";
}

// Of an earlier version, whose files everybody could open.
TEST_F(CatalogTest, WhoeverHoldsLocksOfOldFilesDoesNoHarm) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  const Bystander nobody([this] {
    if (!BecomeNobody()) return 'u';
    return HoldReadLocks(DbPath() + "-shm") && HoldReadLocks(DbPath()) ? 'y'
                                                                       : 'n';
  });
  const int killed = InChild([this]() -> int {
    const auto catalog = Catalog::Open(dir_.path(), {}, 0644);
    const ObjectInfo info = Info(1, "old");
    catalog->OnEvent({ObjectEventKind::kSealed, info, info.id});
    while (ToJson(catalog->GetStatus())["pending"] != 0) ::usleep(1000);
    ::_exit(0);  // With no destructor.
  });
  ASSERT_EQ(killed, 0);
  ASSERT_EQ(nobody.Ask(), 'y');
  Open();
  Seal(2, "new");
  Settle();
  EXPECT_EQ(Query("SELECT group_concat(id) FROM sealed"), "old,new");
  EXPECT_EQ(StatusJson()["degraded"], false);
}

TEST_F(CatalogTest, WhoMayReadItCanHoldItUpButNotForEver) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  auto nobody = std::make_unique<Bystander>([this] {
    if (!BecomeNobody()) return 'u';
    return HoldReadLocks(DbPath() + "-shm") ? 'y' : 'n';
  });
  Open({}, 0644);
  Seal(1, "a");
  Settle();
  ASSERT_EQ(nobody->Ask(), 'y');
  Seal(2, "b");
  ASSERT_TRUE(Eventually([this] { return Problem() != ""; }));
  EXPECT_NE(Problem().find("; end process "), std::string::npos) << Problem();
  EXPECT_EQ(StatusJson()["degraded"], true);
  nobody.reset();
  Settle();
  EXPECT_EQ(Problem(), "");
  EXPECT_EQ(Query("SELECT group_concat(id) FROM sealed"), "a,b");
}

// As above, but the store was killed meanwhile.
TEST_F(CatalogTest, AStartDoesNotWaitForLocksOfOthers) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  auto nobody = std::make_unique<Bystander>([this] {
    if (!BecomeNobody()) return 'u';
    return HoldReadLocks(DbPath() + "-shm") ? 'y' : 'n';
  });
  const int killed = InChild([this]() -> int {
    const auto catalog = Catalog::Open(dir_.path(), {}, 0644);
    ::_exit(0);  // With no destructor.
  });
  ASSERT_EQ(killed, 0);
  ASSERT_EQ(nobody->Ask(), 'y');
  const auto begin = steady_clock::now();
  catalog_ = Catalog::Open(dir_.path(), {}, 0644);
  SealInTable(1);
  catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  EXPECT_LT(steady_clock::now() - begin, seconds(2));
  EXPECT_NE(Problem().find(DbPath()), std::string::npos) << Problem();
  EXPECT_NE(Problem().find("; end process "), std::string::npos) << Problem();
  nobody.reset();
  Settle();
  EXPECT_EQ(Query("SELECT number FROM sealed"), LivingInTable());
}

}  // namespace
}  // namespace vitrine::store
