// Whatever happens to the state directory, the store starts and serves objects,
// says once what is wrong, and its catalog comes back.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/system/child_process.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr uid_t kNobody = 65534;

std::string WhyNotRoot() {
  return ::geteuid() == 0 ? "" : "only root can become others";
}

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

// As another user: opens a file for reading, does something with it, keeps it.
class Stranger {
 public:
  Stranger(const std::string& path, const std::function<bool(int)>& take)
      : child_(std::make_unique<ChildProcess>([=](const auto& parent) {
          const bool nobody = ::setresgid(kNobody, kNobody, kNobody) == 0 &&
                              ::setresuid(kNobody, kNobody, kNobody) == 0;
          const int fd = ::open(path.c_str(), O_RDONLY);
          if (!nobody || fd < 0 || !take(fd)) return false;
          parent.Say();
          parent.Await();
          return true;
        })) {}
  bool HasIt() { return child_->AwaitWord(); }
  void GoAway() { child_.reset(); }

 private:
  std::unique_ptr<ChildProcess> child_;
};

bool ShareLock(int fd) { return ::flock(fd, LOCK_SH | LOCK_NB) == 0; }

bool ReadLockAll(int fd) {
  struct flock lock {};
  lock.l_type = F_RDLCK;
  return ::fcntl(fd, F_SETLK, &lock) == 0;
}

class CatalogTroubleTest : public testing::Test {
 protected:
  void Start(StoreProcess& store) {
    const auto begin = steady_clock::now();
    const Status started = store.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    EXPECT_LT(steady_clock::now() - begin, seconds(8));
  }
  void Put(StoreProcess& store, const std::string& id) {
    const std::string bytes = "bytes of " + id;
    Client client = store.Connect();
    const Status put = client.Put(
        Id(id), std::as_bytes(std::span(bytes.data(), bytes.size())));
    ASSERT_TRUE(put) << put.error().ToString();
    EXPECT_TRUE(client.Get(Id(id)));
  }
  static std::string Problem(const StoreProcess& store) {
    return store.GetStatus()["catalog"]["problem"];
  }
  // The catalog is written again, and has exactly these.
  void ExpectCatalog(const StoreProcess& store, const std::string& ids) {
    std::string found;
    EXPECT_TRUE(Eventually([&] {
      found = store.Run({"sql", "--csv", "SELECT id FROM sealed ORDER BY id"});
      return found == "id\n" + ids;
    })) << found
        << store.GetStatus()["catalog"].dump();
    EXPECT_EQ(Problem(store), "");
  }
};

TEST_F(CatalogTroubleTest, LocksOfAnotherUserOnOldFilesAfterAKill) {
  VITRINE_REQUIRE(WhyNotRoot());
  StoreProcess store({.mount = false, .more = {"--catalog-mode", "0644"}});
  Start(store);
  Put(store, "a");
  ExpectCatalog(store, "a\n");
  const std::string lock = store.state_dir() + "/lock";
  ASSERT_EQ(::chmod(lock.c_str(), 0644), 0);  // As earlier versions made it.
  Stranger reader(store.state_dir() + "/catalog.db-shm", ReadLockAll);
  store.Kill();  // Only now the lock is free.
  ASSERT_TRUE(reader.HasIt());
  Stranger locker(lock, ShareLock);
  ASSERT_TRUE(locker.HasIt());
  Start(store);
  EXPECT_TRUE(store.Connect().Get(Id("a")));
  Put(store, "b");
  EXPECT_NE(Problem(store).find(store.state_dir() + "/catalog.db"),
            std::string::npos)
      << Problem(store);
  EXPECT_NE(Problem(store).find("; end process "), std::string::npos)
      << Problem(store);
  int exited = -1;
  EXPECT_NE(store.Run({"doctor"}, &exited).find("; end process "),
            std::string::npos);
  reader.GoAway();
  ExpectCatalog(store, "a\nb\n");
  EXPECT_EQ(store.Stop(), 0);
}

TEST_F(CatalogTroubleTest, AnOverwrittenCatalogWhileTheStoreRuns) {
  StoreProcess store({.mount = false});
  Start(store);
  Put(store, "a");
  ExpectCatalog(store, "a\n");
  const std::string db = store.state_dir() + "/catalog.db";
  ASSERT_EQ(Shell("head -c 4096 /dev/urandom | dd conv=notrunc of=" + db), 0);
  ExpectCatalog(store, "a\n");
  Put(store, "b");
  ExpectCatalog(store, "a\nb\n");
  EXPECT_EQ(store.GetStatus()["catalog"]["times_damaged"], 1);
  EXPECT_EQ(store.Stop(), 0);
}

TEST_F(CatalogTroubleTest, AnOverwrittenCatalogAtTheStart) {
  StoreProcess store({.mount = false});
  Start(store);
  Put(store, "a");
  store.Kill();
  const std::string db = store.state_dir() + "/catalog.db";
  ASSERT_EQ(Shell("head -c 100000 /dev/urandom > " + db), 0);
  Start(store);
  ExpectCatalog(store, "a\n");
  const std::string aside = store.GetStatus()["catalog"]["set_aside"];
  EXPECT_TRUE(aside.starts_with(db + ".damaged-")) << aside;
  EXPECT_EQ(std::filesystem::file_size(aside), 100000U);
  EXPECT_EQ(store.Stop(), 0);
}

// A state directory on a disk of its own, which only this process and its
// children see.
class StateDisk {
 public:
  explicit StateDisk(const std::string& path) : path_(path) {
    ::mkdir(path.c_str(), 0755);
    mounted_ =
        ::unshare(CLONE_NEWNS) == 0 &&
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount("disk", path.c_str(), "tmpfs", 0, "size=4m") == 0;
  }
  StateDisk(const StateDisk&) = delete;
  StateDisk& operator=(const StateDisk&) = delete;
  ~StateDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }

  bool mounted() const { return mounted_; }
  bool SetReadOnly(bool on) const {
    return ::mount(nullptr, path_.c_str(), nullptr,
                   MS_REMOUNT | (on ? MS_RDONLY : 0), nullptr) == 0;
  }

 private:
  const std::string path_;
  bool mounted_ = false;
};

TEST_F(CatalogTroubleTest, AReadOnlyStateDirectory) {
  VITRINE_REQUIRE(WhyNotRoot());
  StoreProcess store({.mount = false});
  const StateDisk disk(store.state_dir());
  if (!disk.mounted()) GTEST_SKIP() << "cannot mount a tmpfs";
  ASSERT_TRUE(disk.SetReadOnly(true));
  for (const char* id : {"a", "b"}) {  // Without a lock file, and with one.
    Start(store);
    EXPECT_NE(store.ready_line().find("; mount the file system of "),
              std::string::npos)
        << store.ready_line();
    Put(store, id);
    EXPECT_NE(Problem(store).find("Read-only"), std::string::npos);
    ASSERT_TRUE(disk.SetReadOnly(false));
    ExpectCatalog(store, id == std::string("a") ? "a\n" : "a\nb\n");
    store.Kill();
    ASSERT_TRUE(disk.SetReadOnly(true));
  }
  Start(store);
  EXPECT_TRUE(store.Connect().Get(Id("a")));
  EXPECT_EQ(store.Stop(), 0);
}

TEST_F(CatalogTroubleTest, AFullStateDirectory) {
  VITRINE_REQUIRE(WhyNotRoot());
  StoreProcess store({.mount = false});
  const StateDisk disk(store.state_dir());
  if (!disk.mounted()) GTEST_SKIP() << "cannot mount a tmpfs";
  const std::string filler = store.state_dir() + "/filler";
  std::ofstream(filler) << std::string(8 << 20, 'x');
  Start(store);
  Put(store, "a");
  EXPECT_NE(Problem(store).find("; make room on the file system of "),
            std::string::npos)
      << Problem(store);
  std::filesystem::remove(filler);
  ExpectCatalog(store, "a\n");
  EXPECT_EQ(store.Stop(), 0);
}

}  // namespace
}  // namespace vitrine
