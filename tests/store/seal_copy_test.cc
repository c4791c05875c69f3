// Copy at seal, with all of a store.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/store/object_store_fixture.h"

namespace vitrine::store {
namespace {

constexpr uid_t kUser = 54321;

class SealCopyTest : public ObjectStoreTest {
 protected:
  void Use(SealCopy policy) {
    options_.seal_copy = policy;
    Restart();
  }
  static std::string ContentOf(const std::string& id, uint64_t size_bytes) {
    std::string content(size_bytes, '\0');
    for (size_t i = 0; i < content.size(); ++i) {
      content[i] = static_cast<char>(i + i / 4096 + id.size());
    }
    return content;
  }
  // An object that `holder` has written.
  ObjectRef Written(const std::string& id, uint64_t size_bytes,
                    PageHolder holder) {
    ObjectRef object = Create(id, size_bytes);
    const auto fd = store_->unsealed().OpenForWriting(object, holder);
    EXPECT_TRUE(fd) << fd.error().ToString();
    const std::string content = ContentOf(id, size_bytes);
    EXPECT_EQ(::pwrite(fd->get(), content.data(), content.size(), 0),
              static_cast<ssize_t>(content.size()));
    return object;
  }
  uint64_t Copies(const char* what) {
    return store_->facts().StatusJson()["seal_copies"][what];
  }
};

TEST_F(SealCopyTest, WhatAUserHadIsCopiedWhateverItsSize) {
  uint64_t count = 0;
  for (const uint64_t size :
       {uint64_t{1}, uint64_t{4097}, kMiB, 2 * kMiB + 1, 20 * kMiB + 777}) {
    const ObjectRef object = Written("a", size, kUser);
    ASSERT_TRUE(SealNow(store_.get(), object, Id("a")));
    EXPECT_TRUE(ReadSealed(store_.get(), "a") == ContentOf("a", size)) << size;
    EXPECT_EQ(Copies("objects"), ++count);
    EXPECT_EQ(Copies("under_way"), 0u);
    ASSERT_TRUE(store_->sealed().Delete(object, {}));
    ExpectUsedSoon(0);
  }
  EXPECT_GE(Copies("bytes"), 23 * kMiB);
}

// It takes no memory beside the object.
TEST_F(SealCopyTest, AnObjectOfAllTheMemoryIsCopied) {
  const ObjectRef object = Written("a", kCapacity - kMiB, kUser);
  const uint64_t before = used_bytes();
  ASSERT_TRUE(SealNow(store_.get(), object, Id("a")));
  EXPECT_EQ(used_bytes(), before);
  EXPECT_TRUE(ReadSealed(store_.get(), "a") ==
              ContentOf("a", kCapacity - kMiB));
}

TEST_F(SealCopyTest, OthersSealMeanwhile) {
  const ObjectRef large = Written("large", 40 * kMiB, kUser);
  const ObjectRef small = Written("small", 8 * kMiB, kUser);
  Answer<void> large_sealed;
  Answer<void> small_sealed;
  store_->unsealed().Seal(large, Id("large"), large_sealed.callback());
  store_->unsealed().Seal(small, Id("small"), small_sealed.callback());
  EXPECT_TRUE(small_sealed.Get());
  EXPECT_TRUE(large_sealed.Get());
  EXPECT_TRUE(ReadSealed(store_.get(), "large") ==
              ContentOf("large", 40 * kMiB));
  EXPECT_TRUE(ReadSealed(store_.get(), "small") ==
              ContentOf("small", 8 * kMiB));
}

TEST_F(SealCopyTest, AnAbortEndsACopy) {
  const ObjectRef object = Written("a", 40 * kMiB, kUser);
  Answer<void> sealed;
  store_->unsealed().Seal(object, Id("a"), sealed.callback());
  const Status aborted = store_->unsealed().Abort(object);
  const Status status = sealed.Get();
  // Whichever came first.
  EXPECT_NE(aborted.has_value(), status.has_value());
  if (!status) {
    EXPECT_EQ(status.error().code, Code::kNotFound);
    ExpectUsedSoon(0);
  }
}

TEST_F(SealCopyTest, AStoreThatEndsMeanwhileSaysSo) {
  const ObjectRef object = Written("a", 40 * kMiB, kUser);
  Answer<void> sealed;
  store_->unsealed().Seal(object, Id("a"), sealed.callback());
  store_.reset();
  const Status status = sealed.Get();
  EXPECT_TRUE(status || status.error().code == Code::kUnavailable);
}

TEST_F(SealCopyTest, TheStoresOwnObjectsAreCopiedOnlyIfAlways) {
  for (const SealCopy policy :
       {SealCopy::kAuto, SealCopy::kAlways, SealCopy::kNever}) {
    Use(policy);
    for (const PageHolder holder : {PageHolder(0), kStoreItself}) {
      ASSERT_TRUE(SealNow(store_.get(), Written("a", kMiB, holder), Id("a")));
      ASSERT_TRUE(
          store_->sealed().Delete(*store_->sealed().FindSealed(Id("a")), {}));
    }
    EXPECT_EQ(Copies("objects"), policy == SealCopy::kAlways ? 1u : 0u);
  }
}

TEST_F(SealCopyTest, NeverIsNever) {
  Use(SealCopy::kNever);
  ASSERT_TRUE(SealNow(store_.get(), Written("a", kMiB, kUser), Id("a")));
  EXPECT_EQ(Copies("objects"), 0u);
}

TEST_F(SealCopyTest, ABlankOfAUserIsCopiedAndCut) {
  uint64_t copied_bytes = 0;
  for (const uint64_t size : {0UL, 100 * 1000UL, 3 * kMiB + 5}) {
    auto blank = store_->blanks().MakeBlank(
        {.creator = {.uid = kUser}, .size_bytes = 4 * kMiB});
    ASSERT_TRUE(blank) << blank.error().ToString();
    const std::string content = ContentOf("b", 4 * kMiB);
    {
      const auto fd = store_->blanks().OpenBlank(*blank);
      ASSERT_TRUE(fd);
      ASSERT_EQ(::pwrite(fd->get(), content.data(), content.size(), 0),
                static_cast<ssize_t>(content.size()));
    }
    const Status status = SealBlankNow(store_.get(), *blank, {Id("b"), size});
    ASSERT_TRUE(status) << status.error().ToString();
    EXPECT_TRUE(ReadSealed(store_.get(), "b") == content.substr(0, size));
    EXPECT_EQ(store_->facts().StatusJson()["objects"]["blank_bytes"], 0u);
    // Pages beyond the object's were the client's, too.
    copied_bytes += 4 * kMiB;
    EXPECT_EQ(Copies("bytes"), copied_bytes);
    ASSERT_TRUE(store_->sealed().Delete(*blank, {}));
    ExpectUsedSoon(0);
  }
  EXPECT_EQ(Copies("objects"), 3u);
}

// Without copies, what a user may keep pages of goes to no other user.
TEST_F(SealCopyTest, PagesOfAnotherUserAreNotRecycled) {
  Use(SealCopy::kNever);
  for (const uid_t owner : {uid_t{0}, kUser}) {
    const ObjectRef object = Written("a", kMiB, kUser);
    ASSERT_TRUE(store_->unsealed().SetOwner(object, owner, 0));
    ASSERT_TRUE(SealNow(store_.get(), object, Id("a")));
    ASSERT_TRUE(store_->sealed().Delete(object, {}));
    ExpectUsedSoon(0);
    EXPECT_EQ(store_->facts().StatusJson()["pool"]["segments"],
              owner == kUser ? 1u : 0u);
  }
}

}  // namespace
}  // namespace vitrine::store
