// Objects that are in a tier, as the mount shows them.
#include <dirent.h>

#include <atomic>
#include <future>

#include "tests/fusefs/mounted_store.h"
#include "tests/store/store_calls.h"
#include "tests/store/tiers/fake_tier.h"

namespace vitrine::fusefs {
namespace {

class ElsewhereTest : public MountedStore,
                      public ::testing::WithParamInterface<Switch> {
 protected:
  void SetUp() override {
    tier_ = fake_;
    if (!StartMounted(GetParam(), 8 << 20) && !skip_.empty()) {
      GTEST_SKIP() << skip_;
    }
    ASSERT_TRUE(mount_);
  }

  void PutElsewhere(const std::string& id, const std::string& bytes) {
    ASSERT_TRUE(WriteFile(Unsealed(id), bytes));
    ASSERT_EQ(::rename(Unsealed(id).c_str(), Sealed(id).c_str()), 0);
    ASSERT_TRUE(Eventually([&] {
      store::Answer<uint64_t> evicted;
      store_->sealed().Evict(bytes.size(), evicted.callback());
      (void)evicted.Get();
      return IsElsewhere(id);
    }));
  }

  bool IsElsewhere(const std::string& id) {
    const auto object = store_->sealed().FindSealed(*ObjectId::FromText(id));
    return object && store_->objects().Info(*object).elsewhere;
  }

  std::shared_ptr<store::FakeTier> fake_ = std::make_shared<store::FakeTier>();
};

TEST_P(ElsewhereTest, ItIsListedWithItsSizeAndNotBroughtBackForThat) {
  const std::string bytes = Pattern(1'000'003);
  PutElsewhere("a", bytes);
  struct stat info;
  ASSERT_EQ(::stat(Sealed("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_size, static_cast<off_t>(bytes.size()));
  EXPECT_GE(info.st_blocks * 512, info.st_size);  // Not a hole.
  DIR* const dir = ::opendir(Sealed("").c_str());
  ASSERT_NE(dir, nullptr);
  bool found = false;
  while (const dirent* entry = ::readdir(dir)) {
    found |= std::string(entry->d_name) == "a";
  }
  ::closedir(dir);
  EXPECT_TRUE(found);
  EXPECT_EQ(fake_->gets(), 0);
}

TEST_P(ElsewhereTest, AnOpenBringsItBack) {
  const std::string bytes = Pattern(1'000'003);
  PutElsewhere("a", bytes);
  EXPECT_TRUE(HasBytes(Sealed("a"), bytes));
  EXPECT_FALSE(IsElsewhere("a"));
  EXPECT_EQ(fake_->gets(), 1);
}

TEST_P(ElsewhereTest, AWaitAndADirectLinkBringItBack) {
  const std::string bytes = Pattern(1'000'003);
  PutElsewhere("a", bytes);
  EXPECT_TRUE(HasBytes(Root() + "/wait/a", bytes));
  PutElsewhere("b", bytes);
  EXPECT_TRUE(HasBytes(Direct("b"), bytes));
}

TEST_P(ElsewhereTest, MoreThanFitsIsReadBack) {
  for (unsigned i = 0; i < 20; ++i) {
    const std::string id = "o" + std::to_string(i);
    ASSERT_TRUE(WriteFile(Unsealed(id), Pattern(1'000'000, 1 + i)));
    ASSERT_EQ(::rename(Unsealed(id).c_str(), Sealed(id).c_str()), 0);
  }
  for (unsigned i = 0; i < 20; ++i) {
    EXPECT_TRUE(
        HasBytes(Sealed("o" + std::to_string(i)), Pattern(1'000'000, 1 + i)));
  }
}

TEST_P(ElsewhereTest, AFailureIsTheOpens) {
  PutElsewhere("a", Pattern(100'000));
  fake_->OnGet([](const ObjectInfo&) {
    return Status(Error{Code::kIoError, "input/output error"});
  });
  EXPECT_EQ(ErrnoOf(::open(Sealed("a").c_str(), O_RDONLY)), EIO);
  fake_->OnGet({});
  EXPECT_TRUE(HasBytes(Sealed("a"), Pattern(100'000)));
}

TEST_P(ElsewhereTest, AnInterruptedOpenLeavesNothingOpen) {
  PutElsewhere("a", Pattern(100'000));
  std::promise<void> go_on;
  std::atomic<bool> asked = false;
  fake_->OnGet([&, future = go_on.get_future().share()](const ObjectInfo&) {
    asked = true;
    future.wait();
    return Status();
  });
  const pid_t child = StartChild([this] {
    const int fd = ::open(Sealed("a").c_str(), O_RDONLY);
    ::_exit(fd >= 0 ? 1 : 2);
  });
  EXPECT_TRUE(Eventually([&] { return asked.load(); }));
  ::kill(child, SIGKILL);
  EXPECT_FALSE(ChildSucceeded(child));
  go_on.set_value();
  EXPECT_TRUE(Eventually([&] { return !IsElsewhere("a"); }));
  const auto object = store_->sealed().FindSealed(*ObjectId::FromText("a"));
  EXPECT_TRUE(Eventually([&] { return !store_->objects().InUse(*object); }));
}

INSTANTIATE_BOTH_MODES(ElsewhereTest);

}  // namespace
}  // namespace vitrine::fusefs
