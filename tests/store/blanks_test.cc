// Blanks, as the store's role offers them: made, sealed, dropped, and treated
// badly by their client.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "store/base/metadata.h"
#include "tests/store/object_store_fixture.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kPage = 4096;

class BlanksTest : public ObjectStoreTest {
 protected:
  Result<ObjectRef> TryMake(uint64_t size_bytes, mode_t mode = 0644) {
    return store_->blanks().MakeBlank({.mode = mode, .size_bytes = size_bytes});
  }
  ObjectRef Make(uint64_t size_bytes) {
    auto blank = TryMake(size_bytes);
    EXPECT_TRUE(blank) << blank.error().ToString();
    return *blank;
  }
  UniqueFd Open(const ObjectRef& blank) {
    auto fd = store_->blanks().OpenBlank(blank);
    EXPECT_TRUE(fd) << fd.error().ToString();
    return *std::move(fd);
  }
  void Fill(const ObjectRef& blank, const std::string& text) {
    const UniqueFd fd = Open(blank);
    ASSERT_EQ(::pwrite(fd.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
  }
  Status Seal(const ObjectRef& blank, const std::string& id,
              uint64_t size_bytes, Metadata metadata = {}) {
    return SealBlankNow(
        store_.get(), blank,
        {Id(id), size_bytes, ShareMetadata(std::move(metadata))});
  }
  ObjectInfo InfoOf(const std::string& id) {
    return store_->objects().Info(*store_->sealed().FindSealed(Id(id)));
  }
  uint64_t Count(const char* name) {
    return store_->facts().StatusJson()["objects"][name].get<uint64_t>();
  }
  std::string ReadWhole(const std::string& id) {
    return ReadSealed(store_.get(), id);
  }
};

TEST_F(BlanksTest, ItBecomesAnObjectOfItsSizeModeAndMetadata) {
  const ObjectRef blank = Make(10 * kPage);
  EXPECT_EQ(used_bytes(), 10 * kPage);
  EXPECT_EQ(Count("blanks"), 1u);
  EXPECT_EQ(Count("blank_bytes"), 10 * kPage);
  EXPECT_EQ(Count("unsealed"), 0u);
  Fill(blank, "bytes of the object, and more");
  ASSERT_TRUE(Seal(blank, "a", 19, {{"k", "v"}}));
  EXPECT_EQ(ReadWhole("a"), "bytes of the object");
  const ObjectInfo info = InfoOf("a");
  EXPECT_EQ(info.state, ObjectState::kSealed);
  EXPECT_EQ(info.mode, 0644u);
  EXPECT_GT(info.created_ns, 0);
  EXPECT_GE(info.sealed_ns, info.created_ns);
  EXPECT_EQ(
      *store_->objects().GetMetadata(*store_->sealed().FindSealed(Id("a"))),
      (Metadata{{"k", "v"}}));
  EXPECT_EQ(Count("blanks"), 0u);
  EXPECT_EQ(Count("blank_bytes"), 0u);
  EXPECT_EQ(used_bytes(), kPage);  // The rest was given back.
}

TEST_F(BlanksTest, ItsBytesBeyondTheObjectAreNotShown) {
  const ObjectRef blank = Make(2 * kPage);
  Fill(blank, std::string(2 * kPage, 's'));
  ASSERT_TRUE(Seal(blank, "a", 100));
  auto file = store_->objects().Share(*store_->sealed().FindSealed(Id("a")));
  ASSERT_TRUE(file);
  auto mapping = Mapping::Map((*file)->fd(), kPage, PROT_READ);
  ASSERT_TRUE(mapping);
  for (size_t i = 100; i < kPage; ++i) {
    ASSERT_EQ(mapping->data()[i], std::byte{0}) << i;
  }
}

TEST_F(BlanksTest, ItCannotBeSealedWhileAnybodyCanWriteToIt) {
  const ObjectRef blank = Make(kPage);
  {
    UniqueFd fd = Open(blank);
    EXPECT_EQ(Seal(blank, "a", 1).error().code, Code::kInUse);
    auto mapping = Mapping::Map(fd.get(), kPage, PROT_READ | PROT_WRITE);
    ASSERT_TRUE(mapping);
    fd = UniqueFd();
    EXPECT_EQ(Seal(blank, "a", 1).error().code, Code::kInUse);
    EXPECT_FALSE(store_->sealed().FindSealed(Id("a")));
  }
  EXPECT_TRUE(Seal(blank, "a", 1));
}

TEST_F(BlanksTest, ItIsSealedOnceAndOnlyWithinItsSize) {
  const ObjectRef blank = Make(kPage);
  EXPECT_EQ(Seal(blank, "a", kPage + 1).error().code, Code::kInvalidArgument);
  EXPECT_EQ(Seal(blank, "a", UINT64_MAX).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(Seal(blank, "a", kPage));
  EXPECT_EQ(Seal(blank, "b", 1).error().code, Code::kNotFound);
  EXPECT_EQ(store_->blanks().OpenBlank(blank).error().code, Code::kNotFound);
  store_->blanks().DropBlank(blank);  // Too late: it is an object.
  store_->blanks().DropBlank(Make(kPage));
  ExpectUsedSoon(kPage);
  EXPECT_TRUE(store_->sealed().FindSealed(Id("a")));
}

TEST_F(BlanksTest, AnIdThatIsTakenIsRefusedAndTheBlankStays) {
  CreateSealed("sealed", 10);
  Create("unsealed", 10);
  const ObjectRef blank = Make(kPage);
  for (const char* id : {"sealed", "unsealed"}) {
    EXPECT_EQ(Seal(blank, id, 1).error().code, Code::kAlreadyExists);
  }
  EXPECT_EQ(Count("blanks"), 1u);
  EXPECT_TRUE(Seal(blank, "free", 1));
}

TEST_F(BlanksTest, OneThatIsDroppedGivesItsMemoryBack) {
  store_->blanks().DropBlank(Make(10 * kPage));
  ExpectUsedSoon(0);
  const ObjectRef blank = Make(10 * kPage);
  auto mapping =
      Mapping::Map(Open(blank).get(), 10 * kPage, PROT_READ | PROT_WRITE);
  ASSERT_TRUE(mapping);
  store_->blanks().DropBlank(blank);
  EXPECT_TRUE(Eventually([&] { return Count("deleted_in_use") == 1; }));
  EXPECT_EQ(used_bytes(), 10 * kPage);  // While the client has it.
  mapping->data()[0] = std::byte{1};
  *mapping = Mapping();
  ExpectUsedSoon(0);
}

TEST_F(BlanksTest, TheyTakeAnEighthAndNothingIsEvictedForThem) {
  std::vector<ObjectRef> blanks;
  while (auto blank = TryMake(kMiB)) blanks.push_back(*blank);
  EXPECT_EQ(blanks.size(), kCapacity / kMiB / 8);
  for (ObjectRef& blank : blanks) store_->blanks().DropBlank(std::move(blank));
  ExpectUsedSoon(0);
  for (uint64_t i = 0; i < kCapacity / kMiB; ++i) {
    CreateSealed(std::to_string(i), kMiB);
  }
  const auto evicted = [this] {
    return store_->facts().StatusJson()["eviction"]["evicted_objects"];
  };
  // The evictor may make room for the low-water mark meanwhile.
  auto last = TryMake(kMiB);
  while (last) last = TryMake(kMiB);
  EXPECT_EQ(last.error().code, Code::kOutOfMemory);
  EXPECT_LE(evicted(), 10u);  // For the low-water mark, and no more.
}

TEST_F(BlanksTest, OneOfNoBytesIsRefused) {
  EXPECT_EQ(TryMake(0).error().code, Code::kInvalidArgument);
}

// --- what a client may do to the file ---

TEST_F(BlanksTest, OneWhoseFileWasChangedIsRefused) {
  const std::string much(20 * kPage, 'x');
  const std::vector<std::function<int(int fd)>> changes = {
      [](int fd) { return ::ftruncate(fd, 2); },
      [](int fd) { return ::ftruncate(fd, 9 * kPage); },
      [&](int fd) {
        return ::pwrite(fd, much.data(), much.size(), 0) > 0 ? 0 : -1;
      },
      [](int fd) {
        return ::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100 * kPage);
      },
      [](int fd) {
        return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                           kPage, 4 * kPage);
      }};
  for (const auto& change : changes) {
    const ObjectRef blank = Make(8 * kPage);
    ASSERT_EQ(change(Open(blank).get()), 0);
    EXPECT_EQ(Seal(blank, "a", 8 * kPage).error().code, Code::kInvalidArgument);
    EXPECT_EQ(Seal(blank, "a", 1).error().code, Code::kInvalidArgument);
    store_->blanks().DropBlank(blank);
    ExpectUsedSoon(0);
  }
}

TEST_F(BlanksTest, WhatTheClientAllocatesBeyondItIsCharged) {
  const ObjectRef blank = Make(kPage);
  {
    const UniqueFd fd = Open(blank);
    ASSERT_EQ(::fallocate(fd.get(), 0, 0, 100 * kPage), 0);
  }
  ExpectUsedSoon(100 * kPage);
  EXPECT_EQ(Count("blank_bytes"), kPage);  // As it was given.
  store_->blanks().DropBlank(blank);
  ExpectUsedSoon(0);
}

// --- recycling ---

TEST_F(BlanksTest, ItsPagesAreRecycledForTheSameAudienceOnly) {
  auto blank = TryMake(kMiB, 0600);
  ASSERT_TRUE(blank);
  Fill(*blank, "secret");
  ASSERT_TRUE(Seal(*blank, "a", kMiB));
  ASSERT_TRUE(
      store_->sealed().Delete(*store_->sealed().FindSealed(Id("a")), {}));
  const auto pooled = [this] {
    return store_->facts().StatusJson()["pool"]["bytes"].get<uint64_t>();
  };
  ASSERT_TRUE(Eventually([&] { return pooled() == kMiB; }));
  const ObjectRef other = Make(kMiB);  // Of mode 0644.
  std::string text(6, '\0');
  ASSERT_EQ(::pread(Open(other).get(), text.data(), 6, 0), 6);
  EXPECT_EQ(text, std::string(6, '\0'));
  EXPECT_EQ(pooled(), kMiB);
  auto same = TryMake(kMiB, 0600);
  ASSERT_TRUE(same);
  EXPECT_EQ(pooled(), 0u);
  ASSERT_EQ(::pread(Open(*same).get(), text.data(), 6, 0), 6);
  EXPECT_EQ(text, "secret");
}

}  // namespace
}  // namespace vitrine::store
