// A store that spills to a directory.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "store/tiers/spill_tier.h"
#include "tests/store/table/small_objects_fixture.h"
#include "tests/store/tiers/bytes.h"

namespace vitrine::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SpillStoreTest : public SmallObjects {
 protected:
  void StartWith(uint64_t spill_limit_bytes) {
    store_.reset();
    auto tier = SpillTier::Open({.url = "file://" + disk_.path() + "/spill",
                                 .spill_limit_bytes = spill_limit_bytes});
    ASSERT_TRUE(tier) << tier.error().ToString();
    options_.tier = *std::move(tier);
    Restart();
  }
  ~SpillStoreTest() override { store_.reset(); }

  // Objects of several sizes: small ones, ones with a segment, one of no bytes.
  static std::string BytesOf(int object) {
    constexpr std::array<size_t, 5> kSizes = {3 * kMiB + 17, 300'000, 100, 4097,
                                              0};
    const auto number = static_cast<size_t>(object);
    return RandomBytes(kSizes[number % kSizes.size()], number);
  }
  static std::string NameOf(int object) { return "o" + std::to_string(object); }
  Status PutObject(int object, milliseconds patience = seconds(20)) {
    const std::string bytes = BytesOf(object);
    if (bytes.size() < 10'000) return TryPut(NameOf(object), bytes, patience);
    Answer<ObjectRef> created;
    store_->memory().CreateSized(
        Id(NameOf(object)), bytes.size(), {},
        {.deadline = std::chrono::steady_clock::now() + patience},
        created.callback());
    const auto made = created.Get();
    if (!made) return made.error();
    Write(*made, bytes);
    return SealNow(store_.get(), *made, Id(NameOf(object)));
  }
  void Write(const ObjectRef& object, const std::string& bytes) {
    const auto fd = store_->unsealed().OpenForWriting(object, kStoreItself);
    ASSERT_EQ(::pwrite(fd->get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  // It may go again between the question and the reading.
  bool IsRight(int object) {
    for (int tries = 0; tries < 100; ++tries) {
      Answer<void> here;
      store_->sealed().Want(
          Id(NameOf(object)),
          {.deadline = std::chrono::steady_clock::now() + seconds(20)},
          here.callback());
      if (!here.Get()) return false;
      const auto found = store_->sealed().FindSealed(Id(NameOf(object)));
      if (!found) return false;
      if (!store_->objects().Share(*found)) continue;
      if (Read(NameOf(object)) == BytesOf(object)) return true;
    }
    return false;
  }

  ScratchDir disk_{"/var/tmp"};
};

TEST_F(SpillStoreTest, MoreThanFitsGoesToADirectoryAndComesBack) {
  StartWith(0);
  constexpr int kObjects = 40;
  for (int i = 0; i < kObjects; ++i) {
    const Status put = PutObject(i);
    ASSERT_TRUE(put) << put.error().ToString();
  }
  for (int i = kObjects - 1; i >= 0; --i) EXPECT_TRUE(IsRight(i)) << i;
  EXPECT_GT(store_->facts().GetUsage().sealed_objects, 0u);
}

TEST_F(SpillStoreTest, ReadersAtOnceGetTheRightBytes) {
  StartWith(0);
  constexpr int kObjects = 25;
  for (int i = 0; i < kObjects; ++i) ASSERT_TRUE(PutObject(i));
  std::vector<std::thread> readers;
  std::atomic<int> wrong{0};
  for (unsigned seed = 0; seed < 3; ++seed) {
    readers.emplace_back([&, seed] {
      std::minstd_rand random(seed + 1);
      for (int round = 0; round < 30; ++round) {
        if (!IsRight(static_cast<int>(random() % kObjects))) ++wrong;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(SpillStoreTest, DeletedObjectsLeaveTheDirectory) {
  StartWith(0);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(PutObject(i));
  for (int i = 0; i < 20; ++i) {
    const auto object = store_->sealed().FindSealed(Id(NameOf(i)));
    ASSERT_TRUE(object);
    ASSERT_TRUE(store_->sealed().Delete(*object, {}));
  }
  const auto names = [this] {
    std::vector<std::string> all;
    for (const auto& file :
         std::filesystem::directory_iterator(disk_.path() + "/spill")) {
      all.push_back(file.path().filename());
    }
    return all;
  };
  EXPECT_TRUE(Eventually(
      [&] { return names() == std::vector<std::string>{"identity"}; }));
}

TEST_F(SpillStoreTest, ALimitLosesNothing) {
  StartWith(4 * kMiB);
  int objects = 0;
  while (PutObject(objects, milliseconds(300))) ++objects;
  EXPECT_GT(objects, 5);
  for (int i = 0; i < objects; ++i) {
    EXPECT_TRUE(store_->sealed().FindSealed(Id(NameOf(i)))) << i;
  }
  EXPECT_TRUE(IsRight(objects - 1));
  const auto newest = store_->sealed().FindSealed(Id(NameOf(objects - 1)));
  ASSERT_TRUE(newest);
  ASSERT_TRUE(store_->sealed().Delete(*newest, {}));
}

}  // namespace
}  // namespace vitrine::store
