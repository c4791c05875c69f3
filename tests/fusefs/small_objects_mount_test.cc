// Objects that share a segment, seen through the mount.
#include <sys/stat.h>
#include <sys/xattr.h>

#include <future>
#include <vector>

#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

class SmallObjectsMountTest : public BothModes {
 protected:
  void PutSmall(const std::string& id, const std::string& bytes) {
    const SmallObject object{*ObjectId::FromText(id), 0644,
                             std::as_bytes(std::span(bytes))};
    std::vector<Status> results;
    store_->small().PutSmall({}, {&object, 1}, &results);
    if (results.empty()) {
      std::promise<Status> room;
      store_->small().AddRoom({},
                              [&room](Status added) { room.set_value(added); });
      ASSERT_TRUE(room.get_future().get());
      store_->small().PutSmall({}, {&object, 1}, &results);
    }
    ASSERT_EQ(results.size(), 1u);
    ASSERT_TRUE(results[0]) << results[0].error().ToString();
  }
};

TEST_P(SmallObjectsMountTest, EachReadsItsOwnBytesAndNoMore) {
  std::vector<std::string> contents;
  for (unsigned i = 0; i < 20; ++i) {
    contents.push_back(Pattern(i * 617, i));
    PutSmall("object-" + std::to_string(i), contents.back());
  }
  for (unsigned i = 0; i < 20; ++i) {
    const std::string id = "object-" + std::to_string(i);
    struct stat info;
    ASSERT_EQ(::stat(Sealed(id).c_str(), &info), 0);
    EXPECT_EQ(static_cast<size_t>(info.st_size), contents[i].size());
    EXPECT_TRUE(HasBytes(Sealed(id), contents[i]));
    EXPECT_TRUE(HasBytes(Waiting(id), contents[i]));
    EXPECT_TRUE(HasBytes(Direct(id), contents[i]));
  }
}

TEST_P(SmallObjectsMountTest, IsMappedLikeAnyFile) {
  const std::string bytes = Pattern(10'000);
  PutSmall("before", "x");
  PutSmall("a", bytes);
  EXPECT_TRUE(InChild([&] {
    const int fd = ::open(Sealed("a").c_str(), O_RDONLY);
    CHILD_EXPECT(fd >= 0);
    void* data = ::mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, fd, 0);
    CHILD_EXPECT(data != MAP_FAILED);
    CHILD_EXPECT(std::memcmp(data, bytes.data(), bytes.size()) == 0);
  }));
}

TEST_P(SmallObjectsMountTest, IsAsImmutableAsAnyOther) {
  PutSmall("a", "bytes");
  EXPECT_EQ(ErrnoOf(::open(Sealed("a").c_str(), O_WRONLY)), EPERM);
  EXPECT_EQ(ErrnoOf(::truncate(Sealed("a").c_str(), 0)), EPERM);
  EXPECT_EQ(ErrnoOf(::chmod(Sealed("a").c_str(), 0600)), EPERM);
  EXPECT_TRUE(HasBytes(Sealed("a"), "bytes"));
}

TEST_P(SmallObjectsMountTest, WhoHasItOpenReadsOnAfterItsDeletion) {
  const std::string bytes = Pattern(5000);
  PutSmall("a", bytes);
  const UniqueFd fd(::open(Sealed("a").c_str(), O_RDONLY));
  ASSERT_TRUE(fd.valid());
  ASSERT_EQ(::unlink(Sealed("a").c_str()), 0);
  EXPECT_EQ(ErrnoOf(::open(Sealed("a").c_str(), O_RDONLY)), ENOENT);
  PutSmall("b", Pattern(5000, 2));
  std::string read(bytes.size(), '\0');
  ASSERT_EQ(::pread(fd.get(), read.data(), read.size(), 0),
            static_cast<ssize_t>(read.size()));
  EXPECT_EQ(read, bytes);
}

TEST_P(SmallObjectsMountTest, WaitEndsWhenItIsPut) {
  const pid_t child = StartChild(
      [this] { CHILD_EXPECT(ReadFile(Waiting("late")) == "bytes"); });
  ASSERT_TRUE(Eventually([this] {
    return store::ToJson(mount_->GetStatus()).value("waiting_for_seal", 0) == 1;
  }));
  PutSmall("late", "bytes");
  EXPECT_TRUE(ChildSucceeded(child));
}

TEST_P(SmallObjectsMountTest, HoldAndAttributesAreThoseOfTheObject) {
  PutSmall("a", "1");
  PutSmall("b", "2");
  ASSERT_EQ(::setxattr(Sealed("a").c_str(), "user.vitrine.hold", "1", 1, 0), 0);
  char value[8] = {};
  EXPECT_EQ(::getxattr(Sealed("a").c_str(), "user.vitrine.hold", value, 8), 1);
  EXPECT_EQ(value[0], '1');
  EXPECT_EQ(::getxattr(Sealed("b").c_str(), "user.vitrine.hold", value, 8), 1);
  EXPECT_EQ(value[0], '0');
}

INSTANTIATE_BOTH_MODES(SmallObjectsMountTest);

}  // namespace
}  // namespace vitrine::fusefs
