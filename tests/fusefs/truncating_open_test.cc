// What it costs to open a file for writing, and that O_TRUNC leaves nothing of
// what was there.
#include <map>
#include <string>

#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

constexpr size_t kMiB = 1 << 20;

class TruncatingOpenTest : public BothModes {
 protected:
  using Counts = std::map<std::string, uint64_t>;

  Counts AllRequests() const { return MountStatus()["requests"].get<Counts>(); }

  // What `calls`, which close one file, cost.
  Counts CountOnce(const std::function<void()>& calls) {
    struct stat info;
    // The kernel forgets a directory's attributes when a file is made in it.
    EXPECT_EQ(::stat((Root() + "/unsealed").c_str(), &info), 0);
    const Counts before = AllRequests();
    calls();
    // RELEASE comes a moment after close.
    EXPECT_TRUE(
        Eventually([this] { return MountStatus()["open_files"] == 0; }));
    Counts counts = AllRequests();
    for (const auto& [kind, count] : before) counts[kind] -= count;
    std::erase_if(counts, [](const auto& each) { return each.second == 0; });
    return counts;
  }

  // The attributes in the answer to a look-up hold for a millisecond, so that
  // a busy machine may ask once more.
  bool EverCosts(const Counts& wanted, const std::function<void()>& calls) {
    return Eventually([&] { return (last_ = CountOnce(calls)) == wanted; });
  }

  std::string Said() const {
    std::string text;
    for (const auto& [kind, count] : last_) {
      text += kind + " " + std::to_string(count) + " ";
    }
    return text;
  }

  // What the first write asks for: with passthrough whether the file has
  // capabilities to lose.  (Without, the kernel leaves that to the store.)
  static const char* FirstWrite() {
    return GetParam() == Switch::kOn ? "getxattr" : "write";
  }

  Counts last_;
};

// The calls of coreutils' cp for one file.
void FillLikeCp(int fd) {
  struct stat info;
  ASSERT_EQ(::fstat(fd, &info), 0);
  ASSERT_EQ(::write(fd, "bytes", 5), 5);
}

TEST_P(TruncatingOpenTest, CopyOfANewFileCostsSixRequests) {
  Counts wanted = {{"lookup", 2}, {"create", 1}, {"flush", 1}, {"release", 1}};
  ++wanted[FirstWrite()];
  int number = 0;
  EXPECT_TRUE(EverCosts(wanted, [&] {
    const std::string path = Unsealed(std::to_string(++number));
    EXPECT_EQ(ErrnoOf(::open(path.c_str(), O_PATH | O_DIRECTORY)), ENOENT);
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644));
    FillLikeCp(fd.get());
  })) << Said();
}

TEST_P(TruncatingOpenTest, CopyOverAFileCostsNineRequests) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "old bytes"));
  Counts wanted = {{"lookup", 3},   {"open", 1},  {"getattr", 1},
                   {"getxattr", 1}, {"flush", 1}, {"release", 1}};
  ++wanted[FirstWrite()];
  const std::string path = Unsealed("a");
  EXPECT_TRUE(EverCosts(wanted, [&] {
    EXPECT_EQ(ErrnoOf(::open(path.c_str(), O_PATH | O_DIRECTORY)), ENOTDIR);
    struct stat info;
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_TRUNC));
    FillLikeCp(fd.get());
  })) << Said();
}

TEST_P(TruncatingOpenTest, TruncationIsPartOfTheOpen) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "old bytes"));
  const Counts wanted = {{"lookup", 1},
                         {"open", 1},
                         {"getxattr", 1},
                         {"flush", 1},
                         {"release", 1}};
  EXPECT_TRUE(EverCosts(wanted, [&] {
    const UniqueFd fd(::open(Unsealed("a").c_str(), O_WRONLY | O_TRUNC));
    EXPECT_TRUE(fd.valid());
  })) << Said();
  EXPECT_EQ(ReadFile(Unsealed("a")), "");
}

TEST_P(TruncatingOpenTest, NothingOfTheOldBytesComesBack) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), Pattern(5 * kMiB)));
  const UniqueFd fd(::open(Unsealed("a").c_str(), O_RDWR | O_TRUNC));
  ASSERT_TRUE(fd.valid());
  char byte;
  EXPECT_EQ(::pread(fd.get(), &byte, 1, 0), 0);
  ASSERT_EQ(::pwrite(fd.get(), "new", 3, 3 * kMiB), 3);
  ASSERT_EQ(::ftruncate(fd.get(), 5 * kMiB), 0);
  std::string wanted(5 * kMiB, '\0');
  wanted.replace(3 * kMiB, 3, "new");
  EXPECT_TRUE(HasBytes(Unsealed("a"), wanted));
}

TEST_P(TruncatingOpenTest, OtherDescriptorsSeeTheEmptyFile) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), Pattern(kMiB)));
  const UniqueFd reader(::open(Unsealed("a").c_str(), O_RDONLY));
  char byte;
  ASSERT_EQ(::pread(reader.get(), &byte, 1, 0), 1);
  const UniqueFd writer(::open(Unsealed("a").c_str(), O_WRONLY | O_TRUNC));
  ASSERT_TRUE(writer.valid());
  EXPECT_EQ(::pread(reader.get(), &byte, 1, 0), 0);
  struct stat info;
  ASSERT_EQ(::fstat(reader.get(), &info), 0);
  EXPECT_EQ(info.st_size, 0);
}

TEST_P(TruncatingOpenTest, ReadersMayTruncateWhatTheyMayWrite) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "old bytes"));
  const UniqueFd fd(::open(Unsealed("a").c_str(), O_RDONLY | O_TRUNC));
  ASSERT_TRUE(fd.valid());
  struct stat info;
  ASSERT_EQ(::fstat(fd.get(), &info), 0);
  EXPECT_EQ(info.st_size, 0);
}

TEST_P(TruncatingOpenTest, TheMemoryIsFreeWhileTheFileIsOpen) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), Pattern(kMiB)));
  const auto used = [this] { return store_->facts().GetUsage().used_bytes; };
  ASSERT_TRUE(Eventually([&] { return used() == kMiB; })) << used();
  const UniqueFd fd(::open(Unsealed("a").c_str(), O_WRONLY | O_TRUNC));
  ASSERT_TRUE(fd.valid());
  // Another change of the file may just end.
  EXPECT_TRUE(Eventually([&] { return used() == 0; })) << used();
}

// It has destroyed what was finished.
TEST_P(TruncatingOpenTest, AWriterThatIsKilledBeforeItsFirstByteEndsTheObject) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "old bytes"));
  EXPECT_FALSE(InChild([&] {
    CHILD_EXPECT(::open(Unsealed("a").c_str(), O_WRONLY | O_TRUNC) >= 0);
    ::raise(SIGKILL);
  }));
  EXPECT_TRUE(Eventually([this] { return !FindUnsealed("a"); }));
}

TEST_P(TruncatingOpenTest, SealedObjectsKeepTheirBytes) {
  Put("a", "bytes");
  for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR}) {
    EXPECT_EQ(ErrnoOf(::open(Sealed("a").c_str(), flags | O_TRUNC)), EPERM);
  }
  EXPECT_EQ(ReadFile(Sealed("a")), "bytes");
}

INSTANTIATE_BOTH_MODES(TruncatingOpenTest);

}  // namespace
}  // namespace vitrine::fusefs
