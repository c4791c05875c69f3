#include "store/host/memory_place.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/machine/mount_table.h"
#include "tests/support/scratch_huge_pages.h"

namespace vitrine::store {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMiB = 1 << 20;
constexpr const char* kSegmentName = "00000000000000a1";

// A tmpfs or hugetlbfs for --memory-dir.
class TestMount {
 public:
  TestMount(const std::string& path, const char* type, const char* options)
      : path_(path) {
    fs::create_directories(path);
    mounted_ = ::mount("test", path.c_str(), type, 0, options) == 0;
  }
  ~TestMount() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_;
};

class MemoryPlaceTest : public testing::Test {
 protected:
  MemoryPlaceTest() {
    std::string pattern = testing::TempDir() + "/vitrine-place-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
    options_.state_dir = dir_ + "/state";
    fs::create_directories(options_.state_dir);
    options_.capacity_bytes = 8 * kMiB;
    options_.overshoot_bytes = kMiB;
  }
  ~MemoryPlaceTest() override {
    place_.reset();
    ::umount2((options_.state_dir + "/memory").c_str(), MNT_DETACH);
    fs::remove_all(dir_);
  }

  // Prepares `place_`; the error's code if that fails.
  std::optional<Error> Prepare() {
    place_.reset();
    Result<std::unique_ptr<MemoryPlace>> place = MemoryPlace::Prepare(options_);
    if (!place) return place.error();
    place_ = *std::move(place);
    return std::nullopt;
  }
  // What a SIGKILL leaves: no destructor runs.
  void Kill() {
    // Reachable to the end: no leak.
    static auto& killed = *new std::vector<MemoryPlace*>;
    killed.push_back(place_.release());
  }

  void WriteSegment() const {
    std::ofstream(place_->segments_dir() + "/" + kSegmentName) << "bytes";
  }
  bool HasSegment() const {
    return fs::exists(place_->segments_dir() + "/" + kSegmentName);
  }
  bool StateIsEmpty() const { return fs::is_empty(options_.state_dir); }

  std::string dir_;
  StoreOptions options_;
  std::unique_ptr<MemoryPlace> place_;
};

bool CanMount() {
  std::string path = testing::TempDir() + "/vitrine-can-mount-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return false;
  const bool can = TestMount(path, "tmpfs", "size=4k").mounted();
  fs::remove(path);
  return can;
}

// --- own tmpfs ---

class OwnTmpfsPlaceTest : public MemoryPlaceTest {
 protected:
  void SetUp() override {
    if (!CanMount()) GTEST_SKIP() << "mounting is not permitted";
  }
};

TEST_F(OwnTmpfsPlaceTest, MoreThanTheMachineHasLeavesNothing) {
  options_.capacity_bytes = uint64_t{1} << 60;
  const std::optional<Error> error = Prepare();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::kTooLarge);
  EXPECT_NE(error->message.find("--capacity"), std::string::npos);
  EXPECT_TRUE(StateIsEmpty());
}

TEST_F(OwnTmpfsPlaceTest, AFailedStartGivesBackWhatItMade) {
  ASSERT_FALSE(Prepare());
  std::ofstream(place_->control_dir() + "/index") << "x";
  place_.reset();
  EXPECT_TRUE(StateIsEmpty());
}

// Invariant (1) of MemoryPlace.
TEST_F(OwnTmpfsPlaceTest, WhatAKilledStoreLeftIsTakenOver) {
  ASSERT_FALSE(Prepare());
  EXPECT_FALSE(place_->taken_over());
  WriteSegment();
  Kill();
  ASSERT_FALSE(Prepare());
  EXPECT_TRUE(place_->taken_over());
  EXPECT_TRUE(HasSegment());
  // And survives a start that fails later.
  place_.reset();
  ASSERT_FALSE(Prepare());
  EXPECT_TRUE(HasSegment());
  ASSERT_TRUE(place_->Release());
  EXPECT_TRUE(StateIsEmpty());
}

TEST_F(OwnTmpfsPlaceTest, ATakenOverOneGetsTheNewSize) {
  ASSERT_FALSE(Prepare());
  Kill();
  options_.capacity_bytes = 32 * kMiB;
  options_.huge_pages = Switch::kOff;
  ASSERT_FALSE(Prepare());
  struct statvfs space {};
  ASSERT_EQ(::statvfs(place_->memory_dir().c_str(), &space), 0);
  EXPECT_GE(space.f_blocks * space.f_frsize, 33 * kMiB);
  EXPECT_FALSE(place_->huge_pages());
  ASSERT_TRUE(place_->Release());
}

TEST_F(OwnTmpfsPlaceTest, ItCannotShrinkBelowWhatIsInIt) {
  options_.capacity_bytes = 128 * kMiB;
  ASSERT_FALSE(Prepare());
  const std::string segment = place_->segments_dir() + "/" + kSegmentName;
  const UniqueFd fd(::open(segment.c_str(), O_RDWR | O_CREAT, 0600));
  ASSERT_EQ(::posix_fallocate(fd.get(), 0, 100 * kMiB), 0);
  Kill();
  options_.capacity_bytes = 4 * kMiB;
  const std::optional<Error> error = Prepare();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::kTooLarge);
  EXPECT_NE(error->message.find("--capacity"), std::string::npos);
  options_.capacity_bytes = 128 * kMiB;
  ASSERT_FALSE(Prepare());
  EXPECT_TRUE(HasSegment());
  ASSERT_TRUE(place_->Release());
}

// Invariant (2) of MemoryPlace.
TEST_F(OwnTmpfsPlaceTest, SomebodyElsesMountIsLeftAlone) {
  const TestMount foreign(options_.state_dir + "/memory", "tmpfs", "size=4k");
  ASSERT_TRUE(foreign.mounted());
  const std::optional<Error> error = Prepare();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::kUnavailable);
  EXPECT_TRUE(
      *machine::FindMount(fs::canonical(options_.state_dir + "/memory")));
}

TEST_F(OwnTmpfsPlaceTest, WhatAKilledStoreLeftIsNotLeftBehind) {
  ASSERT_FALSE(Prepare());
  WriteSegment();
  Kill();
  options_.memory_dir = "/dev/shm";
  EXPECT_EQ(Prepare()->code, Code::kUnavailable);
  options_.memory_dir = "";
  ASSERT_FALSE(Prepare());
  EXPECT_TRUE(HasSegment());
  ASSERT_TRUE(place_->Release());
}

TEST_F(OwnTmpfsPlaceTest, AFileInItsPlaceIsRefused) {
  std::ofstream(options_.state_dir + "/memory") << "x";
  EXPECT_EQ(Prepare()->code, Code::kUnavailable);
  EXPECT_TRUE(fs::is_regular_file(options_.state_dir + "/memory"));
}

TEST_F(OwnTmpfsPlaceTest, AReaderKeepsOnlyWhatItReads) {
  ASSERT_FALSE(Prepare());
  WriteSegment();
  const std::string segment = place_->segments_dir() + "/" + kSegmentName;
  const UniqueFd reader(::open(segment.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd other(
      ::open(place_->memory_dir().c_str(), O_PATH | O_CLOEXEC));
  ASSERT_TRUE(place_->Release());
  EXPECT_TRUE(StateIsEmpty());
  char byte = 0;
  EXPECT_EQ(::pread(reader.get(), &byte, 1, 0), 1);
  EXPECT_LT(::openat(other.get(), "segments", O_RDONLY | O_CLOEXEC), 0);
}

TEST_F(OwnTmpfsPlaceTest, ReleaseTwiceIsHarmless) {
  ASSERT_FALSE(Prepare());
  EXPECT_TRUE(place_->Release());
  EXPECT_TRUE(place_->Release());
}

TEST_F(OwnTmpfsPlaceTest, ItIsMountedAsItSays) {
  ASSERT_FALSE(Prepare());
  const std::string path = fs::canonical(options_.state_dir + "/memory");
  EXPECT_EQ(place_->memory_dir(), path);
  EXPECT_EQ(place_->control_dir(), path);
  EXPECT_EQ(place_->segments_dir(), path + "/segments");
  EXPECT_EQ(place_->capacity_bytes(), 8 * kMiB);
  EXPECT_EQ(place_->overshoot_bytes(), kMiB);
  const std::optional<machine::MountEntry> entry = *machine::FindMount(path);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->type, "tmpfs");
  for (const char* option : {"nosuid", "nodev", "noexec"}) {
    EXPECT_NE(entry->options.find(option), std::string::npos) << option;
  }
  EXPECT_EQ(entry->SuperOption("huge").has_value(), place_->huge_pages());
  EXPECT_EQ(place_->Describe().rfind("own tmpfs (", 0), 0U);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0755U);
  ASSERT_TRUE(place_->Release());
}

// --- given directory ---

class GivenPlaceTest : public MemoryPlaceTest {
 protected:
  GivenPlaceTest() {
    std::string pattern = "/dev/shm/vitrine-given-XXXXXX";
    given_ = ::mkdtemp(pattern.data());
    options_.memory_dir = given_;
  }
  ~GivenPlaceTest() override { fs::remove_all(given_); }

  bool GivenIsEmpty() const { return fs::is_empty(given_); }

  std::string given_;
};

TEST_F(GivenPlaceTest, ADirectoryOnDiskIsRefused) {
  options_.memory_dir = "/proc";
  EXPECT_FALSE(Prepare()->message.empty());
  const std::optional<machine::MountEntry> here = *machine::FindMountOf(dir_);
  if (!here || here->type == "tmpfs") GTEST_SKIP() << "the disk is a tmpfs";
  fs::create_directory(dir_ + "/disk");
  options_.memory_dir = dir_ + "/disk";
  EXPECT_EQ(Prepare()->code, Code::kInvalidArgument);
  EXPECT_TRUE(fs::is_empty(dir_ + "/disk"));
}

TEST_F(GivenPlaceTest, AMissingDirectoryAndAFileAreRefused) {
  options_.memory_dir = given_ + "/none";
  EXPECT_EQ(Prepare()->code, Code::kInvalidArgument);
  EXPECT_FALSE(fs::exists(given_ + "/none"));
  std::ofstream(given_ + "/file") << "x";
  options_.memory_dir = given_ + "/file";
  EXPECT_TRUE(Prepare());
}

// Invariant (2) of MemoryPlace.
TEST_F(GivenPlaceTest, ForeignFilesOfOurNamesAreLeftAlone) {
  for (const char* name : {"segments", "index", "journal", ".vitrine"}) {
    std::ofstream(given_ + "/" + name) << "precious";
    const std::optional<Error> error = Prepare();
    ASSERT_TRUE(error) << name;
    EXPECT_EQ(error->code, Code::kUnavailable) << name;
    EXPECT_EQ(fs::file_size(given_ + "/" + name), 8U);
    fs::remove(given_ + "/" + name);
  }
  EXPECT_TRUE(GivenIsEmpty());
}

// Invariant (2) of MemoryPlace.
TEST_F(GivenPlaceTest, AnotherStoresDirectoryIsLeftAlone) {
  ASSERT_FALSE(Prepare());
  WriteSegment();
  StoreOptions other = options_;
  other.state_dir = dir_ + "/other";
  fs::create_directory(other.state_dir);
  const auto second = MemoryPlace::Prepare(other);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_NE(second.error().message.find("%state"), std::string::npos);
  EXPECT_TRUE(HasSegment());
  EXPECT_TRUE(place_->Release());
}

TEST_F(GivenPlaceTest, MoreThanTheFileSystemHasIsRefused) {
  if (!CanMount()) GTEST_SKIP() << "mounting is not permitted";
  const TestMount mount(given_, "tmpfs", "size=16m");
  ASSERT_TRUE(mount.mounted());
  options_.capacity_bytes = 17 * kMiB;
  EXPECT_EQ(Prepare()->code, Code::kTooLarge);
  options_.capacity_bytes = 16 * kMiB;
  EXPECT_EQ(Prepare()->code, Code::kTooLarge);  // The overshoot.
  options_.overshoot_bytes.reset();
  EXPECT_TRUE(GivenIsEmpty());
  ASSERT_FALSE(Prepare());
  EXPECT_EQ(place_->overshoot_bytes(), 0U);
  ASSERT_TRUE(place_->Release());
  EXPECT_TRUE(GivenIsEmpty());
}

TEST_F(GivenPlaceTest, HugePagesAreAsTheDirectoryIsMounted) {
  if (!CanMount()) GTEST_SKIP() << "mounting is not permitted";
  const TestMount small(given_, "tmpfs", "size=16m,huge=never");
  ASSERT_TRUE(small.mounted());
  options_.huge_pages = Switch::kOn;
  const std::optional<Error> error = Prepare();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::kUnsupported);
  EXPECT_NE(error->message.find("huge="), std::string::npos);
  EXPECT_TRUE(GivenIsEmpty());
}

TEST_F(GivenPlaceTest, AReadOnlyDirectoryIsRefused) {
  if (!CanMount()) GTEST_SKIP() << "mounting is not permitted";
  const TestMount mount(given_, "tmpfs", "size=16m,ro");
  if (!mount.mounted()) GTEST_SKIP() << "no read-only tmpfs";
  EXPECT_TRUE(Prepare());
}

// Invariant (2) of MemoryPlace.
TEST_F(GivenPlaceTest, OnlyWhatIsOursIsRemoved) {
  std::ofstream(given_ + "/notes") << "precious";
  ASSERT_FALSE(Prepare());
  WriteSegment();
  for (const char* name : {"index", "journal", "journal.new"}) {
    std::ofstream(given_ + "/" + name) << "x";
  }
  ASSERT_TRUE(place_->Release());
  EXPECT_TRUE(fs::exists(given_ + "/notes"));
  fs::remove(given_ + "/notes");
  EXPECT_TRUE(GivenIsEmpty());
}

// Invariant (1) of MemoryPlace.
TEST_F(GivenPlaceTest, WhatAKilledStoreLeftIsTakenOver) {
  ASSERT_FALSE(Prepare());
  WriteSegment();
  Kill();
  ASSERT_FALSE(Prepare());
  EXPECT_TRUE(place_->taken_over());
  EXPECT_TRUE(HasSegment());
  ASSERT_TRUE(place_->Release());
  EXPECT_TRUE(GivenIsEmpty());
}

TEST_F(GivenPlaceTest, AFailedStartGivesBackWhatItMade) {
  ASSERT_FALSE(Prepare());
  place_.reset();
  EXPECT_TRUE(GivenIsEmpty());
}

TEST_F(GivenPlaceTest, OnHugetlbfsIndexAndJournalAreElsewhere) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  const ScratchHugePages pages(8);
  if (!pages.available()) GTEST_SKIP() << "no huge pages to be had";
  const TestMount mount(given_, "hugetlbfs", "pagesize=2M,size=16M");
  if (!mount.mounted()) GTEST_SKIP() << "no hugetlbfs";
  options_.capacity_bytes = 18 * kMiB;
  EXPECT_EQ(Prepare()->code, Code::kTooLarge);
  options_.capacity_bytes = 9 * kMiB;
  options_.overshoot_bytes.reset();
  ASSERT_FALSE(Prepare());
  EXPECT_TRUE(place_->huge_pages());
  EXPECT_NE(place_->control_dir(), place_->memory_dir());
  EXPECT_EQ(place_->capacity_bytes(), 8 * kMiB);
  EXPECT_EQ(place_->overshoot_bytes(), 0U);
  const std::string control_dir = place_->control_dir();
  std::ofstream(control_dir + "/journal") << "x";
  Kill();
  ASSERT_FALSE(Prepare());
  EXPECT_TRUE(fs::exists(control_dir + "/journal"));
  ASSERT_TRUE(place_->Release());
  EXPECT_TRUE(GivenIsEmpty());
  EXPECT_FALSE(fs::exists(control_dir));
}

// --- private directory ---

// As a user who may not mount: in a process of its own.
class PrivatePlaceTest : public MemoryPlaceTest {
 protected:
  static constexpr uid_t kNobody = 65534;

  // Runs `check` without privileges; true if it says so.
  bool AsUser(const std::function<bool()>& check) {
    fs::permissions(dir_, fs::perms::all);
    fs::permissions(options_.state_dir, fs::perms::all);
    const pid_t child = ::fork();
    if (child == 0) {
      const bool dropped =
          ::geteuid() != 0 || ::setresuid(kNobody, kNobody, kNobody) == 0;
      ::_exit(dropped && check() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
};

TEST_F(PrivatePlaceTest, ItComesAndGoes) {
  EXPECT_TRUE(AsUser([&] {
    if (Prepare()) return false;
    const std::string path = place_->memory_dir();
    struct stat status {};
    const bool good = path.rfind("/dev/shm/vitrine-", 0) == 0 &&
                      ::stat(path.c_str(), &status) == 0 &&
                      (status.st_mode & 07777U) == 0755U &&
                      place_->Describe().rfind("private directory", 0) == 0;
    return good && place_->Release().has_value() && !fs::exists(path);
  }));
}

// Invariant (1) of MemoryPlace.
TEST_F(PrivatePlaceTest, WhatAKilledStoreLeftIsTakenOver) {
  EXPECT_TRUE(AsUser([&] {
    if (Prepare()) return false;
    WriteSegment();
    Kill();
    if (Prepare()) return false;
    return place_->taken_over() && HasSegment() && place_->Release();
  }));
}

TEST_F(PrivatePlaceTest, ALinkInItsPlaceIsRefused) {
  EXPECT_TRUE(AsUser([&] {
    if (Prepare()) return false;
    const std::string path = place_->memory_dir();
    if (!place_->Release()) return false;
    fs::create_directory_symlink(dir_, path);
    const std::optional<Error> error = Prepare();
    fs::remove(path);
    return error && error->code == Code::kUnavailable;
  }));
}

TEST_F(PrivatePlaceTest, AnUnusableStateDirectoryIsRefused) {
  options_.state_dir = dir_ + "/none";
  EXPECT_EQ(Prepare()->code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace vitrine::store
