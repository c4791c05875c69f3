// The kernel's caches of the mount, and that it is told when an object goes.
#include <dirent.h>
#include <sys/xattr.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>

#include "tests/fusefs/mounted_store.h"
#include "tests/store/store_calls.h"

namespace vitrine::fusefs {
namespace {

class CacheTest : public BothModes {
 protected:
  // Waits until the kernel has been told all that happened.
  void Settle() {
    auto told = std::make_shared<std::promise<void>>();
    store_->events().AfterObservers([told] { told->set_value(); });
    told->get_future().wait();
  }
  uint64_t Notified() {
    return MountStatus().value("notified_names", uint64_t{0});
  }
  void PutNatively(const std::string& id) {
    NewObject options;
    const auto object =
        store_->unsealed().Create(*ObjectId::FromText(id), options);
    ASSERT_TRUE(object) << object.error().ToString();
    ASSERT_TRUE(SealNow(store_.get(), *object, *ObjectId::FromText(id)));
  }
};

TEST_P(CacheTest, HotStatAndLookupMakeNoRoundTrip) {
  Put("a", "x");
  struct stat info;
  ASSERT_EQ(::stat(Sealed("a").c_str(), &info), 0);
  const auto before = MountStatus()["requests"];
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(::stat(Sealed("a").c_str(), &info), 0);
    ASSERT_EQ(::access(Sealed("a").c_str(), R_OK), 0);
  }
  EXPECT_EQ(MountStatus()["requests"], before);
}

TEST_P(CacheTest, HotDirectLinkMakesNoRoundTrip) {
  Put("a", "x");
  EXPECT_EQ(ReadFile(Direct("a")), "x");
  const auto before = MountStatus()["requests"];
  for (int i = 0; i < 100; ++i) ASSERT_EQ(ReadFile(Direct("a")), "x");
  EXPECT_EQ(MountStatus()["requests"], before);
}

TEST_P(CacheTest, SecondReadOfASealedObjectIsNotCarried) {
  const std::string bytes = Pattern(1 << 20);
  Put("a", bytes);
  ASSERT_TRUE(HasBytes(Sealed("a"), bytes));
  const uint64_t before = Requests("read");
  ASSERT_TRUE(HasBytes(Sealed("a"), bytes));
  EXPECT_EQ(Requests("read"), before);
  if (GetParam() == Switch::kOn) {
    EXPECT_EQ(before, 0u);
  }
}

TEST_P(CacheTest, WritesMakeNoRequestForSecurityAttributes) {
  const UniqueFd fd(::open(Unsealed("a").c_str(), O_WRONLY | O_CREAT, 0644));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(::write(fd.get(), "x", 1), 1);
  EXPECT_LE(Requests("getxattr"), 1u);
}

// Invariant (3) of FileSystem.
TEST_P(CacheTest, NamesGoWhenTheStoreDeletes) {
  Put("a", "x");
  struct stat info;
  ASSERT_EQ(::stat(Sealed("a").c_str(), &info), 0);
  ASSERT_EQ(::lstat(Direct("a").c_str(), &info), 0);
  ASSERT_TRUE(store_->sealed().Delete(FindSealed("a"), Credentials{}));
  Settle();
  EXPECT_EQ(ErrnoOf(::stat(Sealed("a").c_str(), &info)), ENOENT);
  EXPECT_EQ(ErrnoOf(::lstat(Direct("a").c_str(), &info)), ENOENT);
}

// Invariant (3) of FileSystem.
TEST_P(CacheTest, NamesGoWhenTheStoreEvicts) {
  Put("a", std::string(1 << 20, 'x'));
  struct stat info;
  ASSERT_EQ(::stat(Sealed("a").c_str(), &info), 0);
  // RELEASE comes a moment after close.
  ASSERT_TRUE(Eventually([this] {
    auto evicted = std::make_shared<std::promise<void>>();
    store_->sealed().Evict(
        1, [evicted](Result<uint64_t>) { evicted->set_value(); });
    evicted->get_future().wait();
    return !FindSealed("a");
  }));
  Settle();
  EXPECT_EQ(ErrnoOf(::stat(Sealed("a").c_str(), &info)), ENOENT);
}

TEST_P(CacheTest, OpenDescriptorSeesThatItsObjectIsDeleted) {
  Put("a", "bytes");
  const UniqueFd fd(::open(Sealed("a").c_str(), O_RDONLY));
  struct stat info;
  ASSERT_EQ(::fstat(fd.get(), &info), 0);
  EXPECT_EQ(info.st_nlink, 1u);
  ASSERT_TRUE(store_->sealed().Delete(FindSealed("a"), Credentials{}));
  Settle();
  ASSERT_EQ(::fstat(fd.get(), &info), 0);
  EXPECT_EQ(info.st_nlink, 0u);
  EXPECT_EQ(info.st_size, 5);
  char bytes[5];
  EXPECT_EQ(::pread(fd.get(), bytes, 5, 0), 5);
}

// Invariant (3) of FileSystem.
TEST_P(CacheTest, NamesThatWereNeverLookedUpCostNothing) {
  for (int i = 0; i < 100; ++i) PutNatively("n" + std::to_string(i));
  for (int i = 0; i < 100; ++i) {
    const std::string id = "n" + std::to_string(i);
    ASSERT_TRUE(store_->sealed().Delete(FindSealed(id), Credentials{}));
  }
  Settle();
  EXPECT_EQ(Notified(), 0u);
  EXPECT_EQ(MountStatus()["known_nodes"], 0);
}

TEST_P(CacheTest, NewObjectUnderAnOldNameIsSeen) {
  for (int i = 0; i < 20; ++i) {
    const std::string bytes = Pattern(1000, static_cast<unsigned>(i));
    Put("a", bytes);
    ASSERT_TRUE(HasBytes(Sealed("a"), bytes));
    ASSERT_TRUE(store_->sealed().Delete(FindSealed("a"), Credentials{}));
    Settle();
  }
}

// Look-ups race with deletions by the store: no name may stay behind.
TEST_P(CacheTest, NoNameOutlivesItsObjectWhenLookupsRace) {
  std::atomic<bool> stop = false;
  std::thread looker([&] {
    struct stat info;
    while (!stop) {
      ::stat(Sealed("a").c_str(), &info);
      ::lstat(Direct("a").c_str(), &info);
    }
  });
  int stale = 0;
  for (int i = 0; i < 300; ++i) {
    PutNatively("a");
    EXPECT_TRUE(store_->sealed().Delete(FindSealed("a"), Credentials{}));
    Settle();
    struct stat info;
    if (::stat(Sealed("a").c_str(), &info) == 0) ++stale;
    if (::lstat(Direct("a").c_str(), &info) == 0) ++stale;
  }
  stop = true;
  looker.join();
  EXPECT_EQ(stale, 0);
}

TEST_P(CacheTest, KernelForgetsAndSoDoWe) {
  for (int i = 0; i < 50; ++i) Put("n" + std::to_string(i), "x");
  EXPECT_GE(MountStatus()["known_nodes"], 50);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(::unlink(Sealed("n" + std::to_string(i)).c_str()), 0);
  }
  EXPECT_TRUE(Eventually([this] {
    const auto status = MountStatus();
    return status["known_nodes"] == 0 && status["open_files"] == 0 &&
           status["open_objects"] == 0;
  })) << MountStatus().dump();
}

TEST_P(CacheTest, ListingsAreStableWhileObjectsComeAndGo) {
  constexpr int kObjects = 3000;
  for (int i = 0; i < kObjects; ++i) PutNatively("n" + std::to_string(i));
  DIR* dir = ::opendir((Root() + "/sealed").c_str());
  ASSERT_NE(dir, nullptr);
  std::multiset<std::string> seen;
  int read = 0;
  while (const dirent* entry = ::readdir(dir)) {
    seen.insert(entry->d_name);
    if (++read == 500) {
      for (int i = 0; i < kObjects; i += 3) {
        ASSERT_TRUE(store_->sealed().Delete(FindSealed("n" + std::to_string(i)),
                                            Credentials{}));
      }
      PutNatively("late");
    }
  }
  for (int i = 0; i < kObjects; ++i) {
    const size_t count = seen.count("n" + std::to_string(i));
    EXPECT_LE(count, 1u);
    if (i % 3 != 0) {
      EXPECT_EQ(count, 1u) << i;
    }
  }
  EXPECT_EQ(seen.count("late"), 0u);
  ::rewinddir(dir);
  seen.clear();
  while (const dirent* entry = ::readdir(dir)) seen.insert(entry->d_name);
  ::closedir(dir);
  EXPECT_EQ(seen.size(), 2u + kObjects * 2 / 3 + 1);
  EXPECT_EQ(seen.count("late"), 1u);
}

INSTANTIATE_BOTH_MODES(CacheTest);

}  // namespace
}  // namespace vitrine::fusefs
