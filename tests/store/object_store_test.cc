#include "store/object_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "tests/store/object_store_fixture.h"
#include "tests/store/store_calls.h"

namespace vitrine::store {
namespace {

TEST_F(ObjectStoreTest, MoreThanTheCapacityIsTooLarge) {
  auto object = TryCreate("big", kCapacity + 1, NoWait());
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code, Code::kTooLarge);
  EXPECT_EQ(used_bytes(), 0u);
  EXPECT_FALSE(store_->unsealed().FindUnsealed(Id("big")));
}

TEST_F(ObjectStoreTest, FullOfUnsealedObjectsSaysWhoUsesWhat) {
  const ObjectRef first = Create("first", kCapacity - kMiB);
  auto second = TryCreate("second", 2 * kMiB, NoWait());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kOutOfMemory);
  EXPECT_NE(second.error().message.find("unsealed take 66060288 bytes"),
            std::string::npos)
      << second.error().message;
  EXPECT_TRUE(store_->unsealed().Abort(first));
  ExpectUsedSoon(0);
  EXPECT_TRUE(TryCreate("second", 2 * kMiB, NoWait()));
}

TEST_F(ObjectStoreTest, GrowingBeyondTheCapacityIsTooLargeAndNeverWaits) {
  const ObjectRef object = Create("x", kCapacity / 2);
  Answer<void> answer;
  store_->memory().Resize(object, kCapacity + 1, {}, answer.callback());
  EXPECT_EQ(answer.Get().error().code, Code::kTooLarge);
  EXPECT_EQ(store_->objects().Info(object).size_bytes, kCapacity / 2);
  EXPECT_TRUE(SealNow(store_.get(), object, Id("x")));
}

TEST_F(ObjectStoreTest, ACreateThatWaitsIsServedWhenSpaceComes) {
  const ObjectRef first = Create("first", kCapacity - kMiB);
  Answer<ObjectRef> answer;
  store_->memory().CreateSized(Id("second"), 2 * kMiB, {},
                               WaitFor(std::chrono::seconds(20)),
                               answer.callback());
  EXPECT_TRUE(store_->unsealed().Abort(first));
  EXPECT_TRUE(answer.Get());
}

TEST_F(ObjectStoreTest, AWaitEndsAtItsDeadline) {
  const ObjectRef first = Create("first", kCapacity - kMiB);
  auto second =
      TryCreate("second", 2 * kMiB, WaitFor(std::chrono::milliseconds(50)));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kOutOfMemory);
}

TEST_F(ObjectStoreTest, WhoAsksToBeToldIsToldThatNothingCanBeEvicted) {
  const ObjectRef first = Create("first", kCapacity - kMiB);
  Answer<ObjectRef> answer;
  store_->memory().CreateSized(Id("second"), 2 * kMiB, {},
                               {.fail_when_stuck = true}, answer.callback());
  EXPECT_EQ(answer.Get().error().code, Code::kOutOfMemory);
}

// Invariant (3) of Store.
TEST_F(ObjectStoreTest, AWriterMakesSealFailUntilItIsGone) {
  const ObjectRef object = Create("x", 4096);
  {
    auto fd = store_->unsealed().OpenForWriting(object, kStoreItself);
    ASSERT_TRUE(fd);
    EXPECT_EQ(SealNow(store_.get(), object, Id("x")).error().code,
              Code::kInUse);
    auto mapping = Mapping::Map(fd->get(), 4096, PROT_READ | PROT_WRITE);
    ASSERT_TRUE(mapping);
    *fd = UniqueFd();
    EXPECT_EQ(SealNow(store_.get(), object, Id("x")).error().code,
              Code::kInUse);
  }
  EXPECT_TRUE(SealNow(store_.get(), object, Id("x")));
}

// Invariant (1) of Store.
TEST_F(ObjectStoreTest, ASealedObjectNeverChanges) {
  const ObjectRef object = CreateSealed("x", 4096);
  EXPECT_EQ(
      store_->unsealed().OpenForWriting(object, kStoreItself).error().code,
      Code::kNotPermitted);
  EXPECT_EQ(store_->unsealed().BeginWriting(object, kStoreItself).error().code,
            Code::kNotPermitted);
  EXPECT_EQ(store_->unsealed().SetMode(object, 0777).error().code,
            Code::kNotPermitted);
  EXPECT_EQ(store_->unsealed().SetMetadata(object, "a", "b").error().code,
            Code::kNotPermitted);
  EXPECT_EQ(SealNow(store_.get(), object, Id("y")).error().code,
            Code::kNotPermitted);
  EXPECT_EQ(store_->unsealed().Abort(object).error().code, Code::kNotPermitted);
  EXPECT_EQ(store_->unsealed().Rename(object, Id("y"), false).error().code,
            Code::kNotPermitted);
  Answer<void> answer;
  store_->memory().Resize(object, 1, NoWait(), answer.callback());
  EXPECT_EQ(answer.Get().error().code, Code::kNotPermitted);
  struct stat status;
  ASSERT_EQ(::stat(store_->objects().SegmentPath(object).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0444u);
}

// Invariant (2) of Store.
TEST_F(ObjectStoreTest, AnIdIsTakenOnceWhetherSealedOrNot) {
  const ObjectRef object = Create("x", 1);
  EXPECT_EQ(TryCreate("x", 1, NoWait()).error().code, Code::kAlreadyExists);
  EXPECT_TRUE(SealNow(store_.get(), object, Id("y")));
  const ObjectRef other = Create("x", 1);
  EXPECT_EQ(SealNow(store_.get(), other, Id("y")).error().code,
            Code::kAlreadyExists);
  EXPECT_EQ(TryCreate("y", 1, NoWait()).error().code, Code::kAlreadyExists);
  EXPECT_EQ(store_->sealed().FindSealed(Id("x")).error().code,
            Code::kNotSealed);
}

TEST_F(ObjectStoreTest, RenameReplacesAnUnsealedObjectUnlessForbidden) {
  const ObjectRef a = Create("a", kMiB);
  const ObjectRef b = Create("b", kMiB);
  EXPECT_EQ(store_->unsealed().Rename(a, Id("b"), true).error().code,
            Code::kAlreadyExists);
  EXPECT_TRUE(store_->unsealed().Rename(a, Id("b"), false));
  EXPECT_EQ(store_->objects().Info(b).state, ObjectState::kGone);
  EXPECT_EQ(*store_->unsealed().FindUnsealed(Id("b")), a);
  ExpectUsedSoon(kMiB);
}

TEST_F(ObjectStoreTest, EvictionTakesTheLeastRecentlyUsedFirst) {
  for (int i = 0; i < 6; ++i) CreateSealed(std::to_string(i), 10 * kMiB);
  store_->objects().Touch(*store_->sealed().FindSealed(Id("0")));
  CreateSealed("new", 10 * kMiB);
  EXPECT_TRUE(store_->sealed().FindSealed(Id("0")));
  EXPECT_FALSE(store_->sealed().FindSealed(Id("1")));
  EXPECT_TRUE(store_->sealed().FindSealed(Id("5")));
}

// Invariant (4) of Store.
TEST_F(ObjectStoreTest, EvictionSparesWhatIsMappedSharedOrHeld) {
  const ObjectRef mapped = CreateSealed("mapped", 10 * kMiB);
  auto fd = store_->objects().OpenForReading(mapped);
  ASSERT_TRUE(fd);
  auto mapping = Mapping::Map(fd->get(), 10 * kMiB, PROT_READ);
  *fd = UniqueFd();
  const ObjectRef shared = CreateSealed("shared", 10 * kMiB);
  auto file = store_->objects().Share(shared);
  const ObjectRef held = CreateSealed("held", 10 * kMiB);
  EXPECT_TRUE(store_->sealed().SetHold(held, true, {}));
  CreateSealed("free", 10 * kMiB);

  Answer<uint64_t> evicted;
  store_->sealed().Evict(kCapacity, evicted.callback());
  EXPECT_EQ(*evicted.Get(), 10 * kMiB);
  EXPECT_FALSE(store_->sealed().FindSealed(Id("free")));
  EXPECT_TRUE(store_->objects().InUse(mapped));
  EXPECT_EQ(std::memcmp(mapping->data(), "mapped", 6), 0);

  mapping = Mapping();
  *file = nullptr;
  EXPECT_TRUE(store_->sealed().SetHold(held, false, {}));
  Answer<uint64_t> rest;
  store_->sealed().Evict(kCapacity, rest.callback());
  EXPECT_EQ(*rest.Get(), 30 * kMiB);
  EXPECT_EQ(used_bytes(), 0u);
}

// Invariant (4) of Store.
TEST_F(ObjectStoreTest, DeletedMemoryCountsUntilItsLastUserIsGone) {
  const ObjectRef object = CreateSealed("x", kMiB);
  auto fd = store_->objects().OpenForReading(object);
  ASSERT_TRUE(fd);
  EXPECT_TRUE(store_->sealed().Delete(object, {}));
  EXPECT_FALSE(store_->sealed().FindSealed(Id("x")));
  EXPECT_EQ(used_bytes(), kMiB);
  EXPECT_EQ(store_->facts().StatusJson()["objects"]["deleted_in_use"], 1);
  *fd = UniqueFd();
  ExpectUsedSoon(0);
}

TEST_F(ObjectStoreTest, MemoryThatAWriterTookUnaskedIsCharged) {
  const ObjectRef object = Create("x", 4096);
  EXPECT_EQ(used_bytes(), 4096u);
  auto fd = store_->unsealed().OpenForWriting(object, kStoreItself);
  ASSERT_TRUE(fd);
  ASSERT_EQ(::fallocate(fd->get(), 0, 0, kMiB), 0);
  ExpectUsedSoon(kMiB);
  *fd = UniqueFd();
  EXPECT_TRUE(store_->unsealed().Abort(object));
  ExpectUsedSoon(0);
}

TEST_F(ObjectStoreTest, OnlyTheOwnerAndRootDeleteAndHold) {
  Answer<ObjectRef> answer;
  store_->memory().CreateSized(Id("x"), 1,
                               {.creator = {.uid = 1000, .gid = 1000}},
                               NoWait(), answer.callback());
  const ObjectRef object = *answer.Get();
  ASSERT_TRUE(SealNow(store_.get(), object, Id("x")));
  const Credentials stranger{.uid = 1001};
  const Credentials owner{.uid = 1000};
  EXPECT_EQ(store_->sealed().Delete(object, stranger).error().code,
            Code::kNotPermitted);
  EXPECT_EQ(store_->sealed().SetHold(object, true, stranger).error().code,
            Code::kNotPermitted);
  EXPECT_TRUE(store_->sealed().SetHold(object, true, owner));
  EXPECT_TRUE(store_->sealed().Delete(object, owner));
  EXPECT_EQ(store_->sealed().Delete(object, owner).error().code,
            Code::kNotFound);
}

TEST_F(ObjectStoreTest, ASecondStoreOnTheSameStateIsRefused) {
  auto second = Store::Open(options_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_TRUE(TryCreate("x", 1, NoWait()));
}

TEST_F(ObjectStoreTest, ACleanStopGivesAllMemoryBack) {
  CreateSealed("x", kMiB);
  Create("half", kMiB);
  store_.reset();
  EXPECT_TRUE(std::filesystem::is_empty(dir_ + "/memory"));
}

TEST_F(ObjectStoreTest, AZeroByteObjectIsAnObject) {
  const ObjectRef object = Create("empty", 0);
  EXPECT_TRUE(SealNow(store_.get(), object, Id("empty")));
  EXPECT_EQ(store_->objects().Info(object).size_bytes, 0u);
  EXPECT_EQ(used_bytes(), 0u);
}

TEST_F(ObjectStoreTest, ShrinkingGivesMemoryBack) {
  const ObjectRef object = Create("x", 8 * kMiB);
  Answer<void> answer;
  store_->memory().Resize(object, kMiB, NoWait(), answer.callback());
  EXPECT_TRUE(answer.Get());
  EXPECT_EQ(used_bytes(), kMiB);
  EXPECT_TRUE(SealNow(store_.get(), object, Id("x")));
  EXPECT_EQ(store_->objects().Info(object).size_bytes, kMiB);
}

TEST_F(ObjectStoreTest, WhatWasReservedBeyondTheEndIsGivenBackAtSeal) {
  auto created = store_->unsealed().Create(Id("x"), {});
  ASSERT_TRUE(created);
  Answer<void> answer;
  store_->memory().Reserve(*created, 0, 8 * kMiB, NoWait(), answer.callback());
  ASSERT_TRUE(answer.Get());
  EXPECT_EQ(used_bytes(), 8 * kMiB);
  Write(*created, "hello");
  ASSERT_TRUE(SealNow(store_.get(), *created, Id("x")));
  EXPECT_EQ(used_bytes(), 4096u);
  EXPECT_EQ(Read(*created, 5), "hello");
}

TEST_F(ObjectStoreTest, MetadataIsKeptAndBounded) {
  auto object =
      store_->unsealed().Create(Id("x"), {.metadata = {{"kind", "weights"}}});
  ASSERT_TRUE(object);
  EXPECT_TRUE(store_->unsealed().SetMetadata(*object, "shape", "3x4"));
  EXPECT_TRUE(store_->unsealed().SetMetadata(*object, "kind", std::nullopt));
  EXPECT_EQ(store_->unsealed()
                .SetMetadata(*object, "kind", std::nullopt)
                .error()
                .code,
            Code::kNotFound);
  EXPECT_FALSE(store_->unsealed().SetMetadata(*object, "vitrine.x", "1"));
  EXPECT_FALSE(store_->unsealed().SetMetadata(*object, "big",
                                              std::string(1 << 20, 'x')));
  EXPECT_EQ(*store_->objects().GetMetadata(*object),
            (Metadata{{"shape", "3x4"}}));
}

TEST_F(ObjectStoreTest, MuchMetadataIsChargedUntilItsObjectGoes) {
  const Metadata much = {{"notes", std::string(30'000, 'x')}};
  auto object = store_->unsealed().Create(Id("x"), {.metadata = much});
  ASSERT_TRUE(object);
  EXPECT_GE(used_bytes(), 30'000u);
  EXPECT_TRUE(store_->unsealed().SetMetadata(*object, "notes", "few"));
  EXPECT_EQ(used_bytes(), 0u);
  EXPECT_TRUE(
      store_->unsealed().SetMetadata(*object, "notes", much.at("notes")));
  ASSERT_TRUE(SealNow(store_.get(), *object, Id("x")));
  EXPECT_GE(used_bytes(), 30'000u);
  Answer<uint64_t> evicted;
  store_->sealed().Evict(1, evicted.callback());
  EXPECT_GE(*evicted.Get(), 30'000u);
  ExpectUsedSoon(0);
}

TEST_F(ObjectStoreTest, MetadataAloneDoesNotOutgrowTheCapacity) {
  const Metadata much = {{"notes", std::string(32'000, 'x')}};
  size_t made = 0;
  for (; made < 2000; ++made) {
    if (!store_->unsealed().Create(Id(std::to_string(made)),
                                   {.metadata = much}))
      break;
  }
  EXPECT_LT(made, 2000u);
  EXPECT_LE(used_bytes(), kCapacity);
}

// Invariant (5) of Store.
TEST_F(ObjectStoreTest, AKilledStoreLosesNothingThatWasSealed) {
  store_.reset();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Restart();
    CreateSealed("plain", kMiB);
    const ObjectRef held = CreateSealed("held", 2 * kMiB);
    (void)store_->sealed().SetHold(held, true, {});
    auto labelled = store_->unsealed().Create(
        Id("labelled"), {.creator = {.uid = 7, .gid = 8},
                         .mode = 0640,
                         .metadata = {{"kind", "weights"}}});
    Write(*labelled, "labelled");
    (void)SealNow(store_.get(), *labelled, Id("labelled"));
    (void)store_->sealed().Delete(CreateSealed("deleted", kMiB), {});
    Create("half", kMiB);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));

  Restart();
  EXPECT_EQ(store_->objects().List(ObjectState::kSealed).size(), 3u);
  EXPECT_TRUE(store_->objects().List(ObjectState::kUnsealed).empty());
  EXPECT_EQ(used_bytes(), 3 * kMiB + 4096);
  EXPECT_EQ(Read(*store_->sealed().FindSealed(Id("plain")), 5), "plain");
  EXPECT_TRUE(
      store_->objects().Info(*store_->sealed().FindSealed(Id("held"))).hold);
  const ObjectRef labelled = *store_->sealed().FindSealed(Id("labelled"));
  const ObjectInfo info = store_->objects().Info(labelled);
  EXPECT_EQ(info.uid, 7u);
  EXPECT_EQ(info.gid, 8u);
  EXPECT_EQ(info.mode, 0640u);
  EXPECT_EQ(info.size_bytes, 8u);
  EXPECT_EQ(*store_->objects().GetMetadata(labelled),
            (Metadata{{"kind", "weights"}}));
  const ObjectRef next = CreateSealed("next", kMiB);
  EXPECT_GT(store_->objects().Info(next).number, info.number);
}

TEST_F(ObjectStoreTest, ASegmentThatSomebodyRemovedIsNotRestored) {
  const ObjectRef object = CreateSealed("x", kMiB);
  CreateSealed("y", kMiB);
  std::filesystem::copy(dir_ + "/memory", dir_ + "/copy",
                        std::filesystem::copy_options::recursive |
                            std::filesystem::copy_options::copy_symlinks);
  const std::string removed = store_->objects().SegmentPath(object);
  store_.reset();
  std::filesystem::remove(dir_ + "/memory");
  std::filesystem::rename(dir_ + "/copy", dir_ + "/memory");
  ASSERT_TRUE(std::filesystem::remove(removed));
  Restart();
  EXPECT_FALSE(store_->sealed().FindSealed(Id("x")));
  EXPECT_EQ(Read(*store_->sealed().FindSealed(Id("y")), 1), "y");
}

TEST_F(ObjectStoreTest, ManyThreadsOnASmallStoreLoseNothing) {
  std::array<std::thread, 4> threads;
  for (size_t t = 0; t < threads.size(); ++t) {
    threads[t] = std::thread([this, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string id = std::to_string(t) + "-" + std::to_string(i);
        const ObjectRef object = CreateSealed(id, 3 * kMiB);
        auto fd = store_->objects().OpenForReading(object);
        if (!fd) continue;  // Evicted already.
        std::string text(id.size(), '\0');
        EXPECT_EQ(::pread(fd->get(), text.data(), text.size(), 0),
                  static_cast<ssize_t>(text.size()));
        EXPECT_EQ(text, id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(used_bytes(), kCapacity);
  Answer<uint64_t> evicted;
  store_->sealed().Evict(kCapacity, evicted.callback());
  EXPECT_TRUE(evicted.Get());
  ExpectUsedSoon(0);
}

// What is charged for a change under way must not be given back by another.
TEST_F(ObjectStoreTest, ShrinkingWhileAReservationWaitsKeepsTheBooks) {
  const ObjectRef held = CreateSealed("held", 40 * kMiB);
  ASSERT_TRUE(store_->sealed().SetHold(held, true, {}));
  const ObjectRef object = Create("a", 20 * kMiB);
  Answer<void> reserved;
  store_->memory().Reserve(object, 0, 40 * kMiB,
                           WaitFor(std::chrono::seconds(10)),
                           reserved.callback());
  Answer<void> shrunk;
  store_->memory().Resize(object, kMiB, NoWait(), shrunk.callback());
  ASSERT_TRUE(shrunk.Get());
  ASSERT_TRUE(store_->sealed().Delete(held, {}));
  ASSERT_TRUE(reserved.Get());
  EXPECT_EQ(used_bytes(), 40 * kMiB);
  ASSERT_TRUE(SealNow(store_.get(), object, Id("a")));
  ExpectUsedSoon(kMiB);
}

TEST_F(ObjectStoreTest, HolesAreFilledAtTheSeal) {
  const auto object = store_->unsealed().Create(Id("a"), {});
  ASSERT_TRUE(object);
  {
    auto fd = store_->unsealed().OpenForWriting(*object, kStoreItself);
    ASSERT_TRUE(fd);
    ASSERT_EQ(::pwrite(fd->get(), "z", 1, 8 * kMiB - 1), 1);
  }
  ASSERT_TRUE(SealNow(store_.get(), *object, Id("a")));
  EXPECT_EQ(used_bytes(), 8 * kMiB);
  struct stat info;
  ASSERT_EQ(::stat(store_->objects().SegmentPath(*object).c_str(), &info), 0);
  EXPECT_EQ(static_cast<uint64_t>(info.st_blocks) * 512, 8 * kMiB);
}

TEST_F(ObjectStoreTest, HolesBeyondTheCapacityAreNotSealed) {
  const auto object = store_->unsealed().Create(Id("a"), {});
  ASSERT_TRUE(object);
  {
    auto fd = store_->unsealed().OpenForWriting(*object, kStoreItself);
    ASSERT_TRUE(fd);
    ASSERT_EQ(::pwrite(fd->get(), "z", 1, 2 * kCapacity), 1);
  }
  const Status sealed = SealNow(store_.get(), *object, Id("a"));
  ASSERT_FALSE(sealed);
  EXPECT_EQ(sealed.error().code, Code::kTooLarge);
  ASSERT_TRUE(store_->unsealed().Abort(*object));
  ExpectUsedSoon(0);
}

TEST_F(ObjectStoreTest, ManyAreDeletedWithAResultForEach) {
  std::vector<ObjectId> ids;
  for (int i = 0; i < 100; ++i) {
    CreateSealed(std::to_string(i), 4096);
    ids.push_back(Id(std::to_string(i)));
  }
  Create("unsealed", 4096);
  ids.push_back(Id("unsealed"));
  ids.push_back(Id("nobody"));
  ids.push_back(Id("7"));  // For the second time.
  ids.push_back(Id("99"));
  const auto results = store_->sealed().DeleteMany(ids, {});
  ASSERT_EQ(results.size(), ids.size());
  for (size_t i = 0; i < 100; ++i) EXPECT_TRUE(results[i]) << i;
  EXPECT_EQ(results[100].error().code, Code::kNotSealed);
  for (size_t i = 101; i < 104; ++i) {
    EXPECT_EQ(results[i].error().code, Code::kNotFound) << i;
  }
  EXPECT_TRUE(store_->objects().List(ObjectState::kSealed).empty());
  ExpectUsedSoon(4096);
  Restart();
  EXPECT_TRUE(store_->objects().List(ObjectState::kSealed).empty());
}

TEST_F(ObjectStoreTest, ManyOfAnotherUserAreNotDeleted) {
  CreateSealed("a", 1);
  CreateSealed("b", 1);
  const std::vector<ObjectId> ids = {Id("a"), Id("b")};
  for (const Status& result : store_->sealed().DeleteMany(ids, {.uid = 7})) {
    EXPECT_EQ(result.error().code, Code::kNotPermitted);
  }
  EXPECT_EQ(store_->objects().List(ObjectState::kSealed).size(), 2u);
}

}  // namespace
}  // namespace vitrine::store
