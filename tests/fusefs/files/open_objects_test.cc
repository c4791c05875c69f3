#include "fusefs/files/open_objects.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "store/store.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::fusefs {
namespace {

constexpr Payer kRoot;
constexpr Payer kAlice{1000, 1000};
constexpr Payer kBob{1001, 1001};

// Knows which files are registered.
class FakeKernel : public Kernel {
 public:
  Result<int32_t> RegisterBacking(int) override {
    if (refuses) return Error{Code::kUnsupported, "no"};
    registered.insert(++last_);
    return last_;
  }
  void UnregisterBacking(int32_t backing_id) override {
    EXPECT_EQ(registered.erase(backing_id), 1u);
  }
  void InvalidateEntry(uint64_t, const std::string&) override {}
  void InvalidateAttributes(uint64_t) override {}

  bool refuses = false;
  std::set<int32_t> registered;

 private:
  int32_t last_ = 0;
};

class OpenObjectsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> OpenStore() const {
    StoreOptions options;
    options.capacity_bytes = 64 << 20;
    options.state_dir = dir_.path() + "/state";
    options.memory_dir = dir_.path() + "/memory";
    std::filesystem::create_directory(options.memory_dir);
    return *Store::Open(options);
  }

  ObjectRef Create(const std::string& id) {
    return *store_->unsealed().Create(*ObjectId::FromText(id), {});
  }
  ObjectRef PutSmall(const std::string& id) {
    const SmallObject object{*ObjectId::FromText(id), 0644, {}};
    std::promise<Status> room;
    store_->small().AddRoom({},
                            [&room](Status added) { room.set_value(added); });
    EXPECT_TRUE(room.get_future().get());
    std::vector<Status> results;
    store_->small().PutSmall({}, {&object, 1}, &results);
    return *store_->sealed().FindSealed(object.id);
  }
  // The backing id of one more open.
  int32_t Open(const ObjectRef& object) {
    const auto opened =
        objects_.Acquire(object, store::NumberOf(*object), kRoot);
    EXPECT_TRUE(opened);
    EXPECT_NE(opened->segment, nullptr);
    return opened->backing_id;
  }
  uint64_t Charged(const Payer& payer) const {
    return store_->facts().accounts().Used(
        {store::Party::Kind::kUser, payer.uid}, store::Resource::kDescriptors);
  }
  void Release(const ObjectRef& object) {
    objects_.Release(store::NumberOf(*object), kRoot, false);
  }

  ScratchDir dir_;
  std::unique_ptr<Store> store_ = OpenStore();
  FakeKernel kernel_;
  OpenObjects objects_{store_.get(), &kernel_};
};

TEST_F(OpenObjectsTest, WhatIsGoneIsNotOpened) {
  const ObjectRef object = Create("a");
  ASSERT_TRUE(store_->unsealed().Abort(object));
  const auto opened = objects_.Acquire(object, store::NumberOf(*object), kRoot);
  EXPECT_FALSE(opened);
  EXPECT_EQ(objects_.Count().objects, 0u);
}

// Invariant (1) of OpenObjects.
TEST_F(OpenObjectsTest, AllOpensHaveOneBackingIdUntilTheLastIsReleased) {
  const ObjectRef object = Create("a");
  const int32_t id = Open(object);
  EXPECT_NE(id, 0);
  EXPECT_EQ(Open(object), id);
  Release(object);
  EXPECT_EQ(Open(object), id);
  EXPECT_EQ(kernel_.registered, std::set{id});
  Release(object);
  EXPECT_EQ(kernel_.registered, std::set{id});
  Release(object);
  EXPECT_TRUE(kernel_.registered.empty());
  EXPECT_EQ(objects_.Count().objects, 0u);
  EXPECT_EQ(objects_.Count().passthrough_opens, 3u);
}

TEST_F(OpenObjectsTest, ObjectsHaveBackingIdsOfTheirOwn) {
  const ObjectRef a = Create("a");
  const ObjectRef b = Create("b");
  EXPECT_NE(Open(a), Open(b));
  Release(a);
  EXPECT_EQ(kernel_.registered.size(), 1u);
  Release(b);
}

// Invariant (2) of OpenObjects.
TEST_F(OpenObjectsTest, WhatSharesItsSegmentIsNotPassedThrough) {
  const ObjectRef object = PutSmall("a");
  EXPECT_EQ(Open(object), 0);
  EXPECT_TRUE(kernel_.registered.empty());
  EXPECT_EQ(objects_.Count().objects, 1u);
  EXPECT_EQ(objects_.Count().passed_through, 0u);
  Release(object);
}

// Invariant (4) of OpenObjects.
TEST_F(OpenObjectsTest, EachUserIsChargedOnceForAnObject) {
  const ObjectRef object = Create("a");
  const uint64_t number = store::NumberOf(*object);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(objects_.Acquire(object, number, kAlice));
  }
  ASSERT_TRUE(objects_.Acquire(object, number, kBob));
  EXPECT_EQ(Charged(kAlice), 1U);
  EXPECT_EQ(Charged(kBob), 1U);
  for (int i = 0; i < 2; ++i) objects_.Release(number, kAlice, false);
  EXPECT_EQ(Charged(kAlice), 1U);
  objects_.Release(number, kAlice, false);
  EXPECT_EQ(Charged(kAlice), 0U);
  EXPECT_EQ(Charged(kBob), 1U);
  objects_.Release(number, kBob, false);
  EXPECT_EQ(Charged(kBob), 0U);
}

TEST_F(OpenObjectsTest, WhoHasHisShareIsRefusedAndTheOthersAreNot) {
  store_->facts().accounts().SetQuota(
      {.id = kAlice.uid, .limits = {{store::Resource::kDescriptors, 2}}});
  std::vector<ObjectRef> made;
  for (const char* id : {"a", "b", "c"}) made.push_back(Create(id));
  const auto open = [&](size_t i, const Payer& who) {
    return objects_.Acquire(made[i], store::NumberOf(*made[i]), who);
  };
  EXPECT_TRUE(open(0, kAlice));
  EXPECT_TRUE(open(1, kAlice));
  EXPECT_EQ(open(2, kAlice).error().code, Code::kOverQuota);
  EXPECT_TRUE(open(0, kAlice));  // He has it.
  EXPECT_TRUE(open(2, kBob));
  EXPECT_EQ(open(2, kAlice).error().code, Code::kOverQuota);
  objects_.Release(store::NumberOf(*made[1]), kAlice, false);
  EXPECT_TRUE(open(2, kAlice));
  EXPECT_EQ(Charged(kAlice), 2U);
}

TEST_F(OpenObjectsTest, AnObjectThatIsGoneCostsNothing) {
  const ObjectRef object = Create("a");
  ASSERT_TRUE(store_->unsealed().Abort(object));
  EXPECT_FALSE(objects_.Acquire(object, store::NumberOf(*object), kAlice));
  EXPECT_EQ(Charged(kAlice), 0U);
}

// Invariant (3) of OpenObjects.
TEST_F(OpenObjectsTest, TheFirstOpenDecidesForAllUntilTheLastRelease) {
  const ObjectRef object = Create("a");
  kernel_.refuses = true;
  EXPECT_EQ(Open(object), 0);
  kernel_.refuses = false;
  EXPECT_EQ(Open(object), 0);
  Release(object);
  EXPECT_EQ(Open(object), 0);
  Release(object);
  Release(object);
  const int32_t id = Open(object);
  EXPECT_NE(id, 0);
  kernel_.refuses = true;
  EXPECT_EQ(Open(object), id);
  Release(object);
  Release(object);
}

TEST_F(OpenObjectsTest, AfterTheKernelIsGoneItIsNotCalled) {
  const ObjectRef a = Create("a");
  const ObjectRef b = Create("b");
  const int32_t id = Open(a);
  objects_.Detach();
  EXPECT_EQ(Open(b), 0);
  Release(a);
  Release(b);
  EXPECT_EQ(kernel_.registered, std::set{id});
  EXPECT_EQ(objects_.Count().objects, 0u);
}

TEST_F(OpenObjectsTest, WritersAreClosingOnceEachWasClosed) {
  const ObjectRef object = Create("a");
  const uint64_t number = store::NumberOf(*object);
  EXPECT_FALSE(objects_.WritersAreClosing(number));
  Open(object);
  Open(object);
  EXPECT_EQ(objects_.AddWriter(number), 0u);
  EXPECT_EQ(objects_.AddWriter(number), 1u);
  EXPECT_FALSE(objects_.WritersAreClosing(number));
  objects_.NoteWriterClosed(number);
  EXPECT_FALSE(objects_.WritersAreClosing(number));
  objects_.NoteWriterClosed(number);
  EXPECT_TRUE(objects_.WritersAreClosing(number));
  for (const uint32_t others : {1u, 0u}) {
    EXPECT_EQ(objects_.RemoveWriter(number), others);
    objects_.Release(number, kRoot, true);
  }
  EXPECT_FALSE(objects_.WritersAreClosing(number));
}

TEST_F(OpenObjectsTest, UnknownNumbersAreIgnored) {
  objects_.Release(99, kRoot, true);
  objects_.NoteWriterClosed(99);
  EXPECT_EQ(objects_.RemoveWriter(99), 0u);
  EXPECT_FALSE(objects_.WritersAreClosing(99));
  EXPECT_EQ(objects_.Count().objects, 0u);
}

}  // namespace
}  // namespace vitrine::fusefs
