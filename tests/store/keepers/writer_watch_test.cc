#include "store/keepers/writer_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "tests/store/keepers/house_parts.h"
#include "tests/support/asleep.h"

namespace vitrine::store {
namespace {

class WriterWatchTest : public HouseParts {
 protected:
  void Start(WriterWatch::Options options = {.limit_bytes = kCapacity}) {
    watch_ = std::make_unique<WriterWatch>(table_.get(), &*segments_, &budget_,
                                           options);
  }
  // An object that somebody is about to write.
  ObjectRef Watch(const std::string& id) {
    const ObjectRef object = Insert(id);
    watch_->Add(object);
    return object;
  }
  uint64_t allocated_bytes(const ObjectRef& object) {
    return (*table_->sealed().Share(object))->Stat()->allocated_bytes;
  }

  std::unique_ptr<WriterWatch> watch_;
};

TEST_F(WriterWatchTest, WhatWritersTakeIsCharged) {
  Start();
  const ObjectRef a = Watch("a");
  const ObjectRef b = Watch("b");
  const UniqueFd to_a = OpenToWrite(a);
  const UniqueFd to_b = OpenToWrite(b);
  Append(to_a, kMiB);
  EXPECT_TRUE(UsesSoon(kMiB));
  Append(to_a, kMiB);
  Append(to_b, kPage);
  EXPECT_TRUE(UsesSoon(2 * kMiB + kPage));
  EXPECT_EQ(charged_bytes(a), 2 * kMiB);
  EXPECT_EQ(charged_bytes(b), kPage);
}

TEST_F(WriterWatchTest, WhatIsChargedAlreadyIsNotChargedAgain) {
  Start();
  const ObjectRef object = Watch("a");
  budget_.ForceCharge(table_->unsealed().RaiseCharge(object, kMiB));
  const UniqueFd fd = OpenToWrite(object);
  Append(fd, kMiB + kPage);
  EXPECT_TRUE(UsesSoon(kMiB + kPage));
}

TEST_F(WriterWatchTest, TheLastBytesAreChargedAtTheRemoval) {
  Start();
  const ObjectRef object = Watch("a");
  const UniqueFd fd = OpenToWrite(object);
  Append(fd, kMiB);
  watch_->Remove(object);
  EXPECT_EQ(used_bytes(), kMiB);
}

TEST_F(WriterWatchTest, ARemovalEndsOneAdd) {
  Start();
  const ObjectRef object = Watch("a");
  watch_->Add(object);
  EXPECT_EQ(watch_->Count().writers, 2u);
  watch_->Remove(object);
  EXPECT_EQ(watch_->Count().writers, 1u);
  Append(OpenToWrite(object), kPage);
  EXPECT_TRUE(UsesSoon(kPage));
  watch_->Remove(object);
  watch_->Remove(object);
  EXPECT_EQ(watch_->Count().writers, 0u);
}

TEST_F(WriterWatchTest, WhatIsGoneIsNotCharged) {
  Start();
  const ObjectRef gone = Watch("gone");
  const ObjectRef other = Watch("other");
  const UniqueFd fd = OpenToWrite(gone);
  const auto dropped = table_->unsealed().Abort(gone);
  ASSERT_TRUE(dropped);
  Append(fd, kMiB);
  Append(OpenToWrite(other), kPage);
  EXPECT_TRUE(UsesSoon(kPage));
  watch_->Remove(gone);
  EXPECT_EQ(used_bytes(), kPage);
}

TEST_F(WriterWatchTest, ItSleepsWhileThereAreNoWriters) {
  Start();
  pid_t thread = 0;
  ASSERT_TRUE(Eventually([&] {
    thread = FindThread(::getpid(), "writer-watch");
    return thread != 0;
  }));
  EXPECT_TRUE(FallsAsleep(thread));
  const ObjectRef object = Watch("a");
  watch_->Remove(object);
  EXPECT_TRUE(FallsAsleep(thread));
  Watch("b");
  Append(
      OpenToWrite(*table_->unsealed().FindUnsealed(*ObjectId::FromText("b"))),
      kPage);
  EXPECT_TRUE(UsesSoon(kPage));
}

TEST_F(WriterWatchTest, ItEndsWhateverWritersThereAre) {
  for (const int writers : {0, 1, 50}) {
    Start();
    std::vector<UniqueFd> files;
    for (int i = 0; i < writers; ++i) {
      const ObjectRef object =
          Watch(std::to_string(writers) + "-" + std::to_string(i));
      files.push_back(OpenToWrite(object));
      Append(files.back(), kPage);
    }
    watch_.reset();
  }
}

TEST_F(WriterWatchTest, EachTimeThatTheyGoBeyondTheLimitIsCountedOnce) {
  Start({.limit_bytes = 8 * kMiB});
  const ObjectRef object = Watch("a");
  const UniqueFd fd = OpenToWrite(object);
  uint64_t written = 0;
  // Another look is done when this returns.
  const auto look = [&](uint64_t others_bytes) {
    Append(fd, kPage);
    written += kPage;
    return UsesSoon(written + others_bytes);
  };
  EXPECT_TRUE(look(0));
  EXPECT_EQ(watch_->Count().outran, 0u);
  for (uint64_t times = 1; times <= 3; ++times) {
    budget_.ForceCharge(8 * kMiB);
    EXPECT_TRUE(look(8 * kMiB));
    EXPECT_TRUE(look(8 * kMiB));
    EXPECT_EQ(watch_->Count().outran, times);
    budget_.Uncharge(8 * kMiB);
    EXPECT_TRUE(look(0));
    EXPECT_EQ(watch_->Count().outran, times);
  }
}

TEST_F(WriterWatchTest, WhatIsParkedCountsTowardsTheLimit) {
  Start({.limit_bytes = 8 * kMiB});
  ASSERT_TRUE(budget_.TryChargeParked(8 * kMiB));
  Watch("a");
  EXPECT_TRUE(Eventually([this] { return watch_->Count().outran == 1; }));
}

class ReservingTest : public WriterWatchTest {
 protected:
  void SetUp() override {
    Start({.reserve_ahead = true, .limit_bytes = kCapacity});
  }
};

TEST_F(ReservingTest, HugePagesAreReservedAheadAndCharged) {
  const ObjectRef object = Watch("a");
  const UniqueFd fd = OpenToWrite(object);
  Append(fd, kMiB);
  EXPECT_TRUE(UsesSoon(8 * kMiB));
  EXPECT_TRUE(Eventually([&] { return allocated_bytes(object) == 8 * kMiB; }));
  EXPECT_EQ(charged_bytes(object), 8 * kMiB);
  // The size is the writer's.
  EXPECT_EQ((*table_->sealed().Share(object))->Stat()->size_bytes, kMiB);
  // How much it is ahead depends on when it looks.
  Append(fd, 6 * kMiB);
  EXPECT_TRUE(Eventually([&] { return allocated_bytes(object) >= 11 * kMiB; }));
  watch_->Remove(object);
  EXPECT_EQ(charged_bytes(object), allocated_bytes(object));
  EXPECT_EQ(used_bytes(), allocated_bytes(object));
}

// The kernel clears what is reserved twice.  Cleared pages are data to
// SEEK_DATA, reserved ones are not.
TEST_F(ReservingTest, NothingIsReservedTwice) {
  const ObjectRef object = Watch("a");
  const UniqueFd fd = OpenToWrite(object);
  Append(fd, kMiB);
  ASSERT_TRUE(Eventually([&] { return allocated_bytes(object) == 8 * kMiB; }));
  Append(fd, 6 * kMiB);
  ASSERT_TRUE(Eventually([&] { return allocated_bytes(object) >= 11 * kMiB; }));
  watch_.reset();
  ASSERT_EQ(::ftruncate(fd.get(), 16 * kMiB), 0);
  EXPECT_EQ(::lseek(fd.get(), 7 * kMiB, SEEK_DATA), -1);
}

TEST_F(ReservingTest, SmallFilesAreLeftAsTheyAre) {
  const ObjectRef object = Watch("a");
  const UniqueFd fd = OpenToWrite(object);
  Append(fd, kMiB / 4 - kPage);
  EXPECT_TRUE(UsesSoon(kMiB / 4 - kPage));
  watch_->Remove(object);
  EXPECT_EQ(used_bytes(), kMiB / 4 - kPage);
}

TEST_F(ReservingTest, NothingIsReservedThatTheBudgetDoesNotHave) {
  budget_.ForceCharge(kCapacity - 2 * kMiB);
  const ObjectRef object = Watch("a");
  const UniqueFd fd = OpenToWrite(object);
  Append(fd, kMiB);
  watch_->Remove(object);
  EXPECT_EQ(used_bytes(), kCapacity - kMiB);
  EXPECT_EQ(allocated_bytes(object), kMiB);
}

TEST_F(ReservingTest, NothingIsReservedAfterTheRemoval) {
  const ObjectRef object = Watch("a");
  const ObjectRef other = Watch("b");
  const UniqueFd fd = OpenToWrite(object);
  Append(fd, kPage);
  watch_->Remove(object);
  Append(fd, kMiB);
  Append(OpenToWrite(other), kPage);
  EXPECT_TRUE(UsesSoon(2 * kPage));
  EXPECT_EQ(charged_bytes(object), kPage);
  EXPECT_EQ(allocated_bytes(object), kMiB + kPage);
}

TEST_F(ReservingTest, NothingIsReservedForWhatIsGone) {
  const ObjectRef object = Watch("a");
  const UniqueFd fd = OpenToWrite(object);
  Append(fd, kPage);
  EXPECT_TRUE(UsesSoon(kPage));
  const auto dropped = table_->unsealed().Abort(object);
  ASSERT_TRUE(dropped);
  Append(fd, kMiB);
  watch_->Remove(object);
  EXPECT_EQ(used_bytes(), kPage);
  EXPECT_EQ(dropped->file->Stat()->allocated_bytes, kMiB + kPage);
}

class WholeWritesTest : public WriterWatchTest {
 protected:
  void SetUp() override {
    Start({.reserve_ahead = true,
           .whole_writes_get_huge_pages = true,
           .limit_bytes = kCapacity});
  }
  // In one step, as a write that fills huge pages does.
  static void GrowTo(const UniqueFd& fd, uint64_t size_bytes) {
    ASSERT_EQ(::fallocate(fd.get(), 0, 0, static_cast<off_t>(size_bytes)), 0);
  }
};

TEST_F(WholeWritesTest, NothingIsReservedForWritersOfWholeHugePages) {
  const ObjectRef object = Watch("a");
  const UniqueFd fd = OpenToWrite(object);
  for (uint64_t written = 2 * kMiB; written <= 8 * kMiB; written += 2 * kMiB) {
    GrowTo(fd, written);
    EXPECT_TRUE(UsesSoon(written));
    EXPECT_EQ(watch_->Count().writers, 1u);  // That look has ended.
    EXPECT_EQ(allocated_bytes(object), written);
  }
}

TEST_F(WholeWritesTest, OthersGetThemReserved) {
  const ObjectRef object = Watch("a");
  const UniqueFd fd = OpenToWrite(object);
  GrowTo(fd, 2 * kMiB + kPage);
  EXPECT_TRUE(UsesSoon(10 * kMiB));
  EXPECT_TRUE(Eventually([&] { return allocated_bytes(object) == 10 * kMiB; }));
}

}  // namespace
}  // namespace vitrine::store
