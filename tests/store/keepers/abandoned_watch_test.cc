#include "store/keepers/abandoned_watch.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "schema/base/mapping.h"
#include "tests/store/keepers/house_parts.h"

namespace vitrine::store {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr seconds kTime(60);

class AbandonedWatchTest : public HouseParts {
 protected:
  ObjectRef Create(const std::string& id, bool through_mount = true) {
    const auto object = table_->unsealed().Insert(
        *ObjectId::FromText(id), {.creator = {.uid = 7, .gid = 7, .pid = 42},
                                  .through_mount = through_mount});
    EXPECT_TRUE(object) << object.error().ToString();
    return *object;
  }
  // After `time`, in steps in which it looks each time.
  void Pass(std::chrono::seconds time, AbandonedWatch* watch) {
    for (seconds passed(0); passed < time; passed += seconds(10)) {
      now_ += seconds(10);
      watch->Look(now_);
    }
  }
  bool IsThere(const ObjectRef& object) {
    return table_->queries().Info(object).state == ObjectState::kUnsealed;
  }

  AbandonedWatch::Clock::time_point now_{std::chrono::hours(1)};
  int dropped_ = 0;
  AbandonedWatch watch_{table_.get(), kTime,
                        [this](DroppedSegment) { ++dropped_; }};
};

TEST_F(AbandonedWatchTest, WhatNobodyHasIsAbortedAfterTheTime) {
  const ObjectRef object = Create("a");
  watch_.Look(now_);
  Pass(kTime - seconds(10), &watch_);
  EXPECT_TRUE(IsThere(object));
  Pass(seconds(20), &watch_);
  EXPECT_FALSE(IsThere(object));
  EXPECT_EQ(dropped_, 1);
  EXPECT_EQ(watch_.Count().aborted, 1u);
  Pass(kTime, &watch_);
  EXPECT_EQ(watch_.Count().aborted, 1u);
}

TEST_F(AbandonedWatchTest, WhatSomebodyHasOpenStaysForEver) {
  const ObjectRef object = Create("a");
  UniqueFd fd = OpenToWrite(object);
  Pass(10 * kTime, &watch_);
  EXPECT_TRUE(IsThere(object));
  fd = UniqueFd();
  Pass(kTime - seconds(10), &watch_);
  EXPECT_TRUE(IsThere(object)) << "the time begins when it is closed";
  Pass(seconds(30), &watch_);
  EXPECT_FALSE(IsThere(object));
}

TEST_F(AbandonedWatchTest, WhatSomebodyHasMappedStaysForEver) {
  const ObjectRef object = Create("a");
  UniqueFd fd = OpenToWrite(object);
  Append(fd, kPage);
  auto mapping = Mapping::Map(fd.get(), kPage, PROT_READ | PROT_WRITE);
  ASSERT_TRUE(mapping);
  fd = UniqueFd();
  Pass(10 * kTime, &watch_);
  EXPECT_TRUE(IsThere(object));
}

// A writer through the mount that has no descriptor of the segment.
TEST_F(AbandonedWatchTest, WhatHasAWriterStaysForEver) {
  const ObjectRef object = Create("a");
  ASSERT_TRUE(table_->unsealed().BeginWriting(object, WriteMode::kCarried,
                                              kStoreItself));
  Pass(10 * kTime, &watch_);
  EXPECT_TRUE(IsThere(object));
  (void)table_->unsealed().EndWriting(object, WriteMode::kCarried);
  Pass(2 * kTime, &watch_);
  EXPECT_FALSE(IsThere(object));
}

TEST_F(AbandonedWatchTest, AChangeBeginsTheTimeAnew) {
  const ObjectRef object = Create("a");
  for (int i = 0; i < 10; ++i) {
    Append(OpenToWrite(object), 10);
    Pass(kTime - seconds(10), &watch_);
  }
  EXPECT_TRUE(IsThere(object));
  ASSERT_TRUE(table_->unsealed().SetMode(object, 0600));
  Pass(kTime - seconds(10), &watch_);
  EXPECT_TRUE(IsThere(object));
  Pass(seconds(30), &watch_);
  EXPECT_FALSE(IsThere(object));
}

// A file of which it says that it was changed long ago, as `cp -p` does.
TEST_F(AbandonedWatchTest, TheTimeOfTheFileDoesNotCount) {
  const ObjectRef object = Create("a");
  ASSERT_TRUE(table_->unsealed().SetModified(object, 1));
  watch_.Look(now_);
  EXPECT_TRUE(IsThere(object));
}

TEST_F(AbandonedWatchTest, WhatASessionHasIsLeftToIt) {
  const ObjectRef object = Create("a", /*through_mount=*/false);
  Pass(10 * kTime, &watch_);
  EXPECT_TRUE(IsThere(object));
}

TEST_F(AbandonedWatchTest, WhatIsSealedIsLeftAlone) {
  const ObjectRef object = Create("a");
  Pass(seconds(10), &watch_);
  ASSERT_TRUE(table_->sealing().Seal(object, *ObjectId::FromText("a"), kMiB));
  Pass(10 * kTime, &watch_);
  EXPECT_TRUE(table_->sealed().FindSealed(*ObjectId::FromText("a")));
}

TEST_F(AbandonedWatchTest, WithoutATimeItOnlyTells) {
  AbandonedWatch watch(table_.get(), std::nullopt,
                       [this](DroppedSegment) { ++dropped_; });
  const ObjectRef first = Create("first");
  Append(OpenToWrite(first), kPage);
  table_->unsealed().RaiseCharge(first, kPage);
  Pass(minutes(3), &watch);
  Create("second");
  Pass(minutes(1), &watch);
  EXPECT_EQ(watch.Count().objects, 0u) << "too soon";
  Pass(minutes(10), &watch);
  const auto numbers = watch.Count();
  EXPECT_EQ(numbers.objects, 2u);
  EXPECT_EQ(numbers.bytes, kPage);
  EXPECT_EQ(numbers.oldest_id, "first");
  EXPECT_EQ(numbers.oldest_uid, 7u);
  EXPECT_EQ(numbers.oldest_pid, 42);
  EXPECT_GE(numbers.oldest_seconds, 13u * 60);
  EXPECT_GT(numbers.oldest_created_ns, 0);
  EXPECT_EQ(numbers.aborted, 0u);
  EXPECT_TRUE(IsThere(first));
  EXPECT_EQ(dropped_, 0);
}

}  // namespace
}  // namespace vitrine::store
