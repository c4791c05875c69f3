// A file system that others fill, too: the store makes room among its own
// objects before it fails.
#include <sys/mount.h>

#include <cerrno>
#include <vector>

#include "tests/store/object_store_fixture.h"
#include "tests/store/store_calls.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kFileSystemBytes = 64 * kMiB;
constexpr uint64_t kForeignBytes = 30 * kMiB;

class ForeignFilesTest : public ObjectStoreTest {
 protected:
  void SetUp() override {
    const std::string size = "size=" + std::to_string(kFileSystemBytes);
    store_.reset();
    mounted_ = ::mount("none", options_.memory_dir.c_str(), "tmpfs", 0,
                       size.c_str()) == 0;
    if (!mounted_) GTEST_SKIP() << "mount: " << std::strerror(errno);
    options_.capacity_bytes = 48 * kMiB;  // And the index, beside it.
    Restart();
  }
  void TearDown() override {
    store_.reset();
    if (mounted_) ::umount2(options_.memory_dir.c_str(), MNT_DETACH);
  }

  std::string foreign() const { return options_.memory_dir + "/foreign"; }
  void FillByOthers(uint64_t bytes) const {
    const UniqueFd fd(::open(foreign().c_str(), O_RDWR | O_CREAT, 0600));
    ASSERT_EQ(::fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes)), 0)
        << std::strerror(errno);
  }
  nlohmann::json Memory() { return store_->facts().StatusJson()["memory"]; }
  uint64_t Evicted() {
    return store_->facts().StatusJson()["eviction"]["evicted_objects"];
  }
  // Creates `count` sealed objects of a megabyte; false: one failed.
  bool CreateMany(const std::string& name, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string id = name + std::to_string(i);
      auto object = TryCreate(id, kMiB, WaitFor(std::chrono::seconds(20)));
      if (!object) {
        ADD_FAILURE() << id << ": " << object.error().ToString();
        return false;
      }
      EXPECT_TRUE(SealNow(store_.get(), *object, Id(id)));
    }
    return true;
  }

  bool mounted_ = false;
};

TEST_F(ForeignFilesTest, ObjectsMakeRoomForObjects) {
  FillByOthers(kForeignBytes);
  ASSERT_TRUE(CreateMany("a", 100));
  EXPECT_GT(Memory()["lacking_bytes"], 0);
  EXPECT_GE(used_bytes(), 15 * kMiB);  // No more goes than must.
  ASSERT_EQ(::unlink(foreign().c_str()), 0);
  EXPECT_TRUE(Eventually([&] { return Memory()["lacking_bytes"] == 0; }));
  ASSERT_TRUE(CreateMany("b", 60));
  EXPECT_GT(used_bytes(), 40 * kMiB);
}

TEST_F(ForeignFilesTest, WhatComesLaterIsNotedAsWell) {
  ASSERT_TRUE(CreateMany("a", 20));
  FillByOthers(kForeignBytes);
  ASSERT_TRUE(CreateMany("b", 60));
}

TEST_F(ForeignFilesTest, SmallObjectsFindRoom) {
  FillByOthers(kForeignBytes);
  const std::string data(store_->small().small_object_bytes(), 'x');
  for (int i = 0; i < 3000; ++i) {
    const SmallObject small{Id(std::to_string(i)), 0644,
                            std::as_bytes(std::span(data))};
    std::vector<Status> results;
    for (;;) {
      store_->small().PutSmall({}, {&small, 1}, &results);
      if (!results.empty()) break;
      Answer<void> room;
      store_->small().AddRoom(WaitFor(std::chrono::seconds(20)),
                              room.callback());
      const auto made = room.Get();
      ASSERT_TRUE(made) << i << ": " << made.error().ToString();
    }
    ASSERT_TRUE(results[0]) << results[0].error().ToString();
  }
  EXPECT_GT(Evicted(), 0u);
}

TEST_F(ForeignFilesTest, ALargerFileGrowsWhereTheMountAsks) {
  FillByOthers(kForeignBytes);
  ASSERT_TRUE(CreateMany("a", 30));
  auto object = store_->unsealed().Create(Id("file"), {});
  ASSERT_TRUE(object);
  for (uint64_t end = 0; end < 16 * kMiB; end += kMiB) {
    Answer<void> reserved;
    store_->memory().Reserve(*object, end, kMiB, {.fail_when_stuck = true},
                             reserved.callback());
    const auto done = reserved.Get();
    ASSERT_TRUE(done) << end << ": " << done.error().ToString();
  }
}

TEST_F(ForeignFilesTest, NothingIsEvictedForWhatCanNeverFit) {
  FillByOthers(kForeignBytes);
  ASSERT_TRUE(CreateMany("a", 20));
  const uint64_t before = Evicted();
  Answer<ObjectRef> stuck;
  store_->memory().CreateSized(Id("large"), 40 * kMiB, {},
                               {.fail_when_stuck = true}, stuck.callback());
  EXPECT_EQ(stuck.Get().error().code, Code::kOutOfMemory);
  const auto late =
      TryCreate("large", 40 * kMiB, WaitFor(std::chrono::milliseconds(200)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kOutOfMemory);
  EXPECT_NE(late.error().message.find("others have taken"), std::string::npos)
      << late.error().message;
  EXPECT_LE(Evicted(), before + 4);  // For the low-water mark.
  ASSERT_TRUE(CreateMany("b", 10));
}

TEST_F(ForeignFilesTest, WithoutAnythingToEvictARequestFailsInTime) {
  FillByOthers(kForeignBytes);
  std::vector<ObjectRef> unsealed;
  for (int i = 0; i < 100; ++i) {
    auto object = TryCreate(std::to_string(i), kMiB,
                            WaitFor(std::chrono::milliseconds(100)));
    if (!object) {
      EXPECT_EQ(object.error().code, Code::kOutOfMemory);
      break;
    }
    unsealed.push_back(*object);
  }
  EXPECT_GT(unsealed.size(), 20u);
  EXPECT_LT(unsealed.size(), 36u);
  for (const ObjectRef& object : unsealed) {
    EXPECT_TRUE(store_->unsealed().Abort(object));
  }
  ExpectUsedSoon(0);
}

// What was written past the store is charged, whatever becomes of a request.
TEST_F(ForeignFilesTest, GrowthThatNobodySawIsChargedByAFailedRequest) {
  FillByOthers(kForeignBytes);
  auto object = store_->unsealed().Create(Id("file"), {});
  ASSERT_TRUE(object);
  {
    auto fd = store_->unsealed().OpenForWriting(*object, kStoreItself);
    ASSERT_TRUE(fd);
    const std::string much(4 * kMiB, 'x');
    ASSERT_EQ(::pwrite(fd->get(), much.data(), much.size(), 0),
              static_cast<ssize_t>(much.size()));
  }
  Answer<void> reserved;
  store_->memory().Reserve(*object, 0, 45 * kMiB, {.fail_when_stuck = true},
                           reserved.callback());
  EXPECT_EQ(reserved.Get().error().code, Code::kOutOfMemory);
  EXPECT_TRUE(store_->unsealed().Abort(*object));
  ExpectUsedSoon(0);
  ASSERT_TRUE(CreateMany("a", 10));
  ExpectUsedSoon(10 * kMiB);
}

// A file that gets no memory keeps the size that it had.
TEST_F(ForeignFilesTest, AFailedResizeChangesNothing) {
  FillByOthers(kForeignBytes);
  const ObjectRef object = Create("a", kMiB);
  Answer<void> resized;
  store_->memory().Resize(object, 45 * kMiB, {.fail_when_stuck = true},
                          resized.callback());
  EXPECT_EQ(resized.Get().error().code, Code::kOutOfMemory);
  EXPECT_EQ(store_->objects().Info(object).size_bytes, kMiB);
  ExpectUsedSoon(kMiB);
}

}  // namespace
}  // namespace vitrine::store
