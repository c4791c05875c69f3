// Quotas of a whole store: who is charged for what, and who is refused.
#include <algorithm>

#include "store/accounts/accounts.h"
#include "tests/store/object_store_fixture.h"

namespace vitrine::store {
namespace {

constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 1001;
constexpr uint64_t kPage = 4096;

class QuotasTest : public ObjectStoreTest {
 protected:
  void Limit(const std::string& quota) {
    accounts().SetQuota(*ParseQuota(quota));
  }
  Accounts& accounts() { return store_->facts().accounts(); }
  uint64_t Used(uid_t uid, Resource resource) {
    return accounts().Used({Party::Kind::kUser, uid}, resource);
  }
  static Credentials User(uid_t uid) { return {.uid = uid, .gid = uid}; }

  Result<ObjectRef> CreateAs(uid_t uid, const std::string& id,
                             uint64_t size_bytes, SpaceWait wait = NoWait()) {
    Answer<ObjectRef> answer;
    store_->memory().CreateSized(Id(id), size_bytes, {.creator = User(uid)},
                                 wait, answer.callback());
    return answer.Get();
  }
  ObjectRef SealAs(uid_t uid, const std::string& id, uint64_t size_bytes) {
    const auto object = CreateAs(uid, id, size_bytes);
    EXPECT_TRUE(object) << object.error().ToString();
    EXPECT_TRUE(SealNow(store_.get(), *object, Id(id)));
    return *object;
  }
  std::vector<Status> PutAs(uid_t uid, const std::vector<std::string>& ids,
                            const std::string& data) {
    std::vector<SmallObject> objects;
    for (const std::string& id : ids) {
      objects.push_back({Id(id), 0644, std::as_bytes(std::span(data))});
    }
    Answer<void> room;
    store_->small().AddRoom(NoWait(), room.callback());
    EXPECT_TRUE(room.Get());
    std::vector<Status> results;
    store_->small().PutSmall(User(uid), objects, &results);
    EXPECT_EQ(results.size(), ids.size());
    return results;
  }
  template <typename T>
  static Code CodeOf(const Result<T>& result) {
    EXPECT_FALSE(result);
    return result ? Code::kNotFound : result.error().code;
  }
};

TEST_F(QuotasTest, WhoHasAllTheMemoryHeMayHaveIsRefusedAtOnce) {
  Limit("user:1000:memory=1M");
  SealAs(kAlice, "a", kMiB / 2);
  EXPECT_EQ(CodeOf(CreateAs(kAlice, "b", kMiB, WaitFor(std::chrono::hours(1)))),
            Code::kOverQuota);
  // It never was.
  EXPECT_FALSE(store_->unsealed().FindUnsealed(Id("b")));
  EXPECT_TRUE(CreateAs(kBob, "c", kMiB));
  EXPECT_TRUE(CreateAs(kAlice, "d", kMiB / 2));
  EXPECT_EQ(Used(kAlice, Resource::kMemory), kMiB);
}

TEST_F(QuotasTest, GrowthIsRefusedAndWhatIsGivenBackMayBeHadAgain) {
  Limit("user:1000:memory=64K");
  const ObjectRef object = *CreateAs(kAlice, "a", 15 * kPage);
  Answer<void> too_much;
  store_->memory().Resize(object, 17 * kPage, NoWait(), too_much.callback());
  EXPECT_EQ(CodeOf(too_much.Get()), Code::kOverQuota);
  Answer<void> reserved;
  store_->memory().Reserve(object, 16 * kPage, 1, NoWait(),
                           reserved.callback());
  EXPECT_EQ(CodeOf(reserved.Get()), Code::kOverQuota);
  EXPECT_EQ(store_->objects().Info(object).size_bytes, 15 * kPage);
  Answer<void> shrunk;
  store_->memory().Resize(object, kPage, NoWait(), shrunk.callback());
  EXPECT_TRUE(shrunk.Get());
  EXPECT_EQ(Used(kAlice, Resource::kMemory), kPage);
  EXPECT_TRUE(CreateAs(kAlice, "b", 15 * kPage));
  EXPECT_TRUE(store_->unsealed().Abort(object));
  EXPECT_EQ(Used(kAlice, Resource::kMemory), 15 * kPage);
}

TEST_F(QuotasTest, ObjectsUnsealedOnesAndHoldsHaveLimitsOfTheirOwn) {
  Limit("user:*:objects=3,unsealed=1,holds=1");
  const ObjectRef a = SealAs(kAlice, "a", kPage);
  ASSERT_TRUE(CreateAs(kAlice, "b", kPage));
  EXPECT_EQ(CodeOf(CreateAs(kAlice, "c", kPage)), Code::kOverQuota);
  EXPECT_EQ(
      CodeOf(store_->unsealed().Create(Id("c"), {.creator = User(kAlice)})),
      Code::kOverQuota);
  EXPECT_TRUE(PutAs(kAlice, {"s"}, "x")[0]);
  EXPECT_EQ(CodeOf(PutAs(kAlice, {"t"}, "x")[0]), Code::kOverQuota);
  EXPECT_TRUE(store_->sealed().SetHold(a, true, User(kAlice)));
  const auto small = *store_->sealed().FindSealed(Id("s"));
  // Whoever holds it, it is the owner's.
  EXPECT_EQ(CodeOf(store_->sealed().SetHold(small, true, User(0))),
            Code::kOverQuota);
  EXPECT_TRUE(store_->sealed().SetHold(a, false, User(kAlice)));
  EXPECT_TRUE(store_->sealed().SetHold(small, true, User(kAlice)));
}

TEST_F(QuotasTest, OfABatchAsMuchIsPutAsMayBe) {
  Limit("user:1000:objects=2");
  auto results = PutAs(kAlice, {"a", "b", "c"}, "data");
  EXPECT_TRUE(results[0]);
  EXPECT_TRUE(results[1]);
  EXPECT_EQ(CodeOf(results[2]), Code::kOverQuota);
  EXPECT_FALSE(store_->sealed().FindSealed(Id("c")));
  EXPECT_EQ(Used(kAlice, Resource::kObjects), 2U);
  const ObjectInfo info =
      store_->objects().Info(*store_->sealed().FindSealed(Id("a")));
  EXPECT_GT(Used(kAlice, Resource::kMemory), 2 * info.size_bytes);
  Limit("user:1001:memory=100");
  EXPECT_EQ(CodeOf(PutAs(kBob, {"d"}, "data")[0]), Code::kOverQuota);
}

TEST_F(QuotasTest, ABlankIsMemoryOfItsUser) {
  Limit("user:1000:memory=1M,objects=0");
  const NewBlank wanted{.creator = User(kAlice), .size_bytes = 256 << 10};
  const auto blank = store_->blanks().MakeBlank(wanted);
  if (!blank && blank.error().code == Code::kUnsupported) {
    GTEST_SKIP() << blank.error().message;
  }
  ASSERT_TRUE(blank) << blank.error().ToString();
  EXPECT_EQ(Used(kAlice, Resource::kMemory), 256U << 10);
  EXPECT_EQ(Used(kAlice, Resource::kObjects), 0U);
  EXPECT_EQ(CodeOf(SealBlankNow(store_.get(), *blank, {Id("a"), 1000})),
            Code::kOverQuota);
  NewBlank large = wanted;
  large.size_bytes = kMiB;
  EXPECT_EQ(CodeOf(store_->blanks().MakeBlank(large)), Code::kOverQuota);
  Limit("user:1000:objects=1");
  EXPECT_TRUE(SealBlankNow(store_.get(), *blank, {Id("a"), 1000}));
  EXPECT_EQ(Used(kAlice, Resource::kMemory), kPage);
  EXPECT_EQ(Used(kAlice, Resource::kObjects), 1U);
}

TEST_F(QuotasTest, AnObjectThatIsGivenAwayIsChargedToTheNewOwner) {
  const ObjectRef object = *CreateAs(kAlice, "a", kMiB);
  Limit("user:1001:memory=4K");
  EXPECT_EQ(CodeOf(store_->unsealed().SetOwner(object, kBob, kAlice)),
            Code::kOverQuota);
  EXPECT_EQ(store_->objects().Info(object).uid, kAlice);
  Limit("user:1001:memory=none");
  EXPECT_TRUE(store_->unsealed().SetOwner(object, kBob, kAlice));
  EXPECT_EQ(Used(kAlice, Resource::kMemory), 0U);
  EXPECT_EQ(Used(kBob, Resource::kMemory), kMiB);
  EXPECT_EQ(Used(kBob, Resource::kUnsealed), 1U);
}

TEST_F(QuotasTest, WhatIsDeletedButMappedIsStillPaidFor) {
  const ObjectRef object = SealAs(kAlice, "a", kMiB);
  {
    const auto reader = store_->objects().OpenForReading(object);
    ASSERT_TRUE(reader);
    EXPECT_TRUE(store_->sealed().Delete(object, User(kAlice)));
    EXPECT_EQ(Used(kAlice, Resource::kMemory), kMiB);
    EXPECT_EQ(Used(kAlice, Resource::kObjects), 0U);
  }
  EXPECT_TRUE(Eventually([&] { return Used(kAlice, Resource::kMemory) == 0; }));
}

// Its holes are filled at the seal.
TEST_F(QuotasTest, ASparseObjectIsNotSealedBeyondTheQuota) {
  const auto object =
      store_->unsealed().Create(Id("a"), {.creator = User(kAlice)});
  ASSERT_TRUE(object);
  {
    const auto fd = store_->unsealed().OpenForWriting(*object, kAlice);
    ASSERT_TRUE(fd);
    ASSERT_EQ(::ftruncate(fd->get(), kMiB), 0);
  }
  Limit("user:1000:memory=64K");
  EXPECT_EQ(CodeOf(SealNow(store_.get(), *object, Id("a"))), Code::kOverQuota);
  EXPECT_EQ(store_->objects().Info(*object).state, ObjectState::kUnsealed);
  Limit("user:1000:memory=none");
  EXPECT_TRUE(SealNow(store_.get(), *object, Id("a")));
  EXPECT_EQ(Used(kAlice, Resource::kMemory), kMiB);
}

TEST_F(QuotasTest, WritersWithLittleQuotaLeftAreSeenAtEachWrite) {
  const auto object =
      store_->unsealed().Create(Id("a"), {.creator = User(kAlice)});
  ASSERT_TRUE(object);
  Limit("user:1000:memory=1M");
  const auto mode = store_->unsealed().BeginWriting(*object, kStoreItself);
  ASSERT_TRUE(mode);
  EXPECT_EQ(*mode, WriteMode::kCarried);
  store_->unsealed().EndWriting(*object, *mode);
}

TEST_F(QuotasTest, MetadataCountsAsMemory) {
  const ObjectRef object = *CreateAs(kAlice, "a", kPage);
  Limit("user:1000:memory=16K");
  EXPECT_EQ(CodeOf(store_->unsealed().SetMetadata(object, "note",
                                                  std::string(4000, 'n'))),
            Code::kOverQuota);
  EXPECT_TRUE(
      store_->unsealed().SetMetadata(object, "note", std::string(2000, 'n')));
  EXPECT_GT(Used(kAlice, Resource::kMemory), kPage);
  EXPECT_TRUE(store_->unsealed().Abort(object));
  EXPECT_TRUE(accounts().List().size() == 1);  // Her limits.
}

TEST_F(QuotasTest, TheStatusTellsTheUseOfEachUser) {
  SealAs(kAlice, "a", kMiB);
  SealAs(kBob, "b", kPage);
  const auto accounts = store_->facts().StatusJson().at("accounts");
  EXPECT_EQ(std::count_if(accounts.begin(), accounts.end(),
                          [](const nlohmann::json& account) {
                            return account.at("kind") == "user" &&
                                   account.at("id") == kAlice &&
                                   account.at("memory_bytes") == kMiB &&
                                   account.at("objects") == 1;
                          }),
            1);
  EXPECT_EQ(accounts.size(), 4U);  // Two users, two groups.
}

// A store that evicts for who is short: the flood goes, not what was there.
TEST_F(QuotasTest, AFloodEvictsItsOwnObjects) {
  for (int i = 0; i < 8; ++i) SealAs(kBob, "b" + std::to_string(i), kMiB);
  for (int i = 0; i < 200; ++i) {
    const std::string id = "a" + std::to_string(i);
    const auto object =
        CreateAs(kAlice, id, kMiB, WaitFor(std::chrono::seconds(60)));
    ASSERT_TRUE(object) << object.error().ToString();
    ASSERT_TRUE(SealNow(store_.get(), *object, Id(id)));
  }
  EXPECT_EQ(Used(kBob, Resource::kObjects), 8U);
}

}  // namespace
}  // namespace vitrine::store
