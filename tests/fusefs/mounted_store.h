// A store with its mount, in the test's own process.
//
// Tests map files of the mount only in a child (see InChild): a process that
// waits for its own page fault to be answered may wait for ever.
#ifndef VITRINE_TESTS_FUSEFS_MOUNTED_STORE_H_
#define VITRINE_TESTS_FUSEFS_MOUNTED_STORE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "fusefs/base/store_names.h"
#include "fusefs/mount.h"
#include "schema/base/sanitizers.h"
#include "schema/base/unique_fd.h"
#include "schema/machine/mount_table.h"
#include "store/metrics/status_json.h"
#include "store/tiers/tier.h"
#include "tests/support/asleep.h"
#include "tests/support/eventually.h"
#include "tests/support/other_user.h"
#include "tests/support/scratch_dir.h"

// In a child: ends it with status 1 and says where, if `condition` is false.
#define CHILD_EXPECT(condition)                                               \
  do {                                                                        \
    if (!(condition)) {                                                       \
      std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, \
                   std::strerror(errno));                                     \
      ::_exit(1);                                                             \
    }                                                                         \
  } while (false)

namespace vitrine::fusefs {

// A child that has the session's descriptor, too, would keep the session alive
// when the mount ends, and wait for it for ever.
inline void CloseFuseDevices() {
  for (int fd = 3; fd < 256; ++fd) {
    char target[32];
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = ::readlink(link.c_str(), target, sizeof(target));
    if (size > 0 &&
        std::string(target, static_cast<size_t>(size)) == "/dev/fuse") {
      ::close(fd);
    }
  }
}

// Runs `body` in a forked process; true if it came to its end.  The child must
// do no more than system calls.
inline pid_t StartChild(const std::function<void()>& body) {
  if (kAddressSanitizer) {
    // Its allocator has no fork handlers: a thread of the mount that is just
    // starting would leave the child with a lock that nobody gives back.
    OthersSleep();
  }
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::alarm(60);
  CloseFuseDevices();
  body();
  ::_exit(0);
}

inline bool ChildSucceeded(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

inline bool InChild(const std::function<void()>& body) {
  return ChildSucceeded(StartChild(body));
}

// Bytes that tell their place and `seed`.
inline std::string Pattern(size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

inline bool WriteFile(const std::string& path, const std::string& bytes,
                      int flags = O_WRONLY | O_CREAT | O_TRUNC,
                      mode_t mode = 0644) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd.valid()) return false;
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t size =
        ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (size <= 0) return false;
    done += static_cast<size_t>(size);
  }
  return true;
}

// "<error>" if it cannot be read.
inline std::string ReadFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return std::string("<") + std::strerror(errno) + ">";
  std::string bytes;
  std::string buffer(1 << 20, '\0');
  for (;;) {
    const ssize_t size = ::read(fd.get(), buffer.data(), buffer.size());
    if (size < 0) return std::string("<") + std::strerror(errno) + ">";
    if (size == 0) return bytes;
    bytes.append(buffer, 0, static_cast<size_t>(size));
  }
}

// Says where the file at `path` differs from `bytes`.
inline ::testing::AssertionResult HasBytes(const std::string& path,
                                           const std::string& bytes) {
  const std::string got = ReadFile(path);
  if (got == bytes) return ::testing::AssertionSuccess();
  size_t at = 0;
  while (at < got.size() && at < bytes.size() && got[at] == bytes[at]) ++at;
  return ::testing::AssertionFailure()
         << path << " has " << got.size() << " bytes instead of "
         << bytes.size() << "; they differ from byte " << at << " on";
}

// The errno of a call that says -1; 0: it succeeded.
template <typename T>
int ErrnoOf(T result) {
  return result == static_cast<T>(-1) ? errno : 0;
}

class MountedStore : public ::testing::Test {
 protected:
  static bool Required() {
    const char* ci = std::getenv("CI");
    return ci != nullptr && std::string(ci) == "true";
  }

  // Starts both; false: skipped or failed.
  bool StartMounted(Switch passthrough, uint64_t capacity_bytes = 512 << 20) {
    if (!StartStore(capacity_bytes)) return false;
    return StartMount(passthrough);
  }

  bool StartStore(uint64_t capacity_bytes) {
    StoreOptions options;
    options.capacity_bytes = capacity_bytes;
    options.state_dir = state_dir_.path();
    options.memory_dir = memory_dir_.path();
    options.tier = tier_;
    auto store = Store::Open(options);
    if (!store) {
      ADD_FAILURE() << store.error().ToString();
      return false;
    }
    store_ = *std::move(store);
    return true;
  }

  bool StartMount(Switch passthrough) {
    MountOptions options;
    options.mount_point = mount_dir_.path();
    options.passthrough = passthrough;
    options.on_unmounted = [this] { ++unmounted_; };
    auto mount = Mount::Start(store_.get(), options);
    if (mount) {
      mount_ = *std::move(mount);
      return true;
    }
    if (Required()) {
      ADD_FAILURE() << mount.error().ToString();
    } else {
      skip_ = mount.error().ToString();
    }
    return false;
  }

  void TearDown() override {
    mount_.reset();
    store_.reset();
    const auto left = machine::FindMount(mount_dir_.path());
    EXPECT_TRUE(left && !left->has_value()) << "still mounted";
  }

  std::string Root() const { return mount_dir_.path(); }
  std::string Unsealed(const std::string& id) const {
    return Root() + "/unsealed/" + id;
  }
  std::string Sealed(const std::string& id) const {
    return Root() + "/sealed/" + id;
  }
  std::string Waiting(const std::string& id) const {
    return Root() + "/wait/" + id;
  }
  std::string Direct(const std::string& id) const {
    return Root() + "/direct/" + id;
  }

  // Makes a sealed object through the mount.
  void Put(const std::string& id, const std::string& bytes,
           mode_t mode = 0644) {
    ASSERT_TRUE(
        WriteFile(Unsealed(id), bytes, O_WRONLY | O_CREAT | O_EXCL, mode))
        << std::strerror(errno);
    ASSERT_EQ(ErrnoOf(::rename(Unsealed(id).c_str(), Sealed(id).c_str())), 0);
  }

  ObjectRef FindSealed(const std::string& id) {
    auto found = store_->sealed().FindSealed(*ObjectId::FromText(id));
    return found ? *found : nullptr;
  }
  ObjectRef FindUnsealed(const std::string& id) {
    auto found = store_->unsealed().FindUnsealed(*ObjectId::FromText(id));
    return found ? *found : nullptr;
  }

  nlohmann::json MountStatus() const {
    return store::ToJson(mount_->GetStatus());
  }
  uint64_t Requests(const std::string& kind) const {
    return MountStatus()["requests"].value(kind, uint64_t{0});
  }

  // Set before StartStore: where evicted objects go.
  std::shared_ptr<store::Tier> tier_;
  ScratchDir state_dir_{"/tmp"};
  ScratchDir memory_dir_;
  ScratchDir mount_dir_{"/tmp"};
  std::unique_ptr<Store> store_;
  std::unique_ptr<Mount> mount_;
  std::atomic<int> unmounted_ = 0;
  std::string skip_;  // Why, if the mount cannot be had here.
};

// The same tests with passthrough and without.
class BothModes : public MountedStore,
                  public ::testing::WithParamInterface<Switch> {
 protected:
  void SetUp() override {
    if (!StartMounted(GetParam()) && !skip_.empty()) GTEST_SKIP() << skip_;
    ASSERT_TRUE(mount_);
  }
};

// Both modes, with users who are not root.
class OtherUsers : public BothModes {
 protected:
  static constexpr uid_t kUser = 12345;
  static constexpr uid_t kOther = 12346;

  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "needs root to become others";
    BothModes::SetUp();
    ::chmod(mount_dir_.path().c_str(), 0755);
  }
  // Runs `body` as another user; true if it came to its end.
  static bool As(uid_t uid, const std::function<void()>& body) {
    return InChild([&] {
      CHILD_EXPECT(Become(uid));
      body();
    });
  }
};

#define INSTANTIATE_BOTH_MODES(suite)                                \
  INSTANTIATE_TEST_SUITE_P(                                          \
      , suite, ::testing::Values(Switch::kOn, Switch::kOff),         \
      [](const ::testing::TestParamInfo<Switch>& p) {                \
        return p.param == Switch::kOn ? "Passthrough" : "PageCache"; \
      })

}  // namespace vitrine::fusefs

#endif  // VITRINE_TESTS_FUSEFS_MOUNTED_STORE_H_
