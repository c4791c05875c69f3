#include "store/tiers/tier_chain.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/store/tiers/fake_tier.h"
#include "tests/store/tiers/loads.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

Status Full(const ObjectInfo&) {
  return Error{Code::kOutOfMemory, "no space left on device"};
}

Status PutInto(Tier* tier, uint64_t number, const std::string& bytes) {
  Loads loads;
  loads.Add(number, bytes);
  return tier->Put(loads.loads());
}

class TierChainTest : public testing::Test {
 protected:
  TierChainTest() {
    TierChain::Tiers tiers;
    for (FakeTier** const tier : {&near_, &far_}) {
      auto made = std::make_unique<FakeTier>(tier == &near_ ? 1 : 2);
      *tier = made.get();
      tiers.push_back(std::move(made));
    }
    chain_ = std::make_unique<TierChain>(std::move(tiers));
  }

  Result<std::string> Get(uint64_t number, size_t size) {
    std::string bytes(size, '?');
    const Status got = chain_->Get(InfoOf(number, size),
                                   std::as_writable_bytes(std::span(bytes)));
    if (!got) return got.error();
    return bytes;
  }

  FakeTier* near_ = nullptr;
  FakeTier* far_ = nullptr;
  std::unique_ptr<TierChain> chain_;
};

TEST_F(TierChainTest, TheFirstThatTakesItHasIt) {
  ASSERT_TRUE(PutInto(chain_.get(), 1, "one"));
  near_->OnPut(Full);
  ASSERT_TRUE(PutInto(chain_.get(), 2, "two"));
  EXPECT_EQ(near_->kept(), 1u);
  EXPECT_EQ(far_->kept(), 1u);
  EXPECT_EQ(*Get(1, 3), "one");
  EXPECT_EQ(*Get(2, 3), "two");
  EXPECT_EQ(Get(3, 3).error().code, Code::kNotFound);
  for (const uint64_t number : {1U, 2U}) chain_->Forget(number);
  EXPECT_EQ(near_->kept() + far_->kept(), 0u);
}

TEST_F(TierChainTest, WhenAllAreFullTheLastOneSaysSo) {
  near_->OnPut(Full);
  far_->OnPut([](const ObjectInfo&) {
    return Status(Error{Code::kIoError, "the far one"});
  });
  const Status put = PutInto(chain_.get(), 1, "one");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().message, "the far one");
}

TEST_F(TierChainTest, AFailureIsNotTakenForAbsence) {
  ASSERT_TRUE(PutInto(near_, 1, "one"));
  near_->OnGet([](const ObjectInfo&) {
    return Status(Error{Code::kIoError, "the near one"});
  });
  EXPECT_EQ(Get(1, 3).error().message, "the near one");
  ASSERT_TRUE(PutInto(far_, 1, "one"));
  EXPECT_EQ(*Get(1, 3), "one");
}

TEST_F(TierChainTest, WhatTwoHaveIsFoundOnce) {
  ASSERT_TRUE(PutInto(near_, 1, "one"));
  ASSERT_TRUE(PutInto(far_, 1, "one"));
  ASSERT_TRUE(PutInto(far_, 2, "two"));
  const auto found = chain_->TakeFound();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2u);
  for (const Tier::Found& each : *found) {
    EXPECT_EQ(each.identity, each.info.number);
  }
  EXPECT_EQ(chain_->identities(), (std::vector<uint64_t>{1, 2}));
}

TEST(OpenTierTest, NoUrlsAreNoTier) { EXPECT_EQ(*OpenTier({}), nullptr); }

TEST(OpenTierTest, TheLimitIsForLocalOnes) {
  const ScratchDir dir;
  auto tier = OpenTier(
      {.urls = {"file://" + dir.path() + "/a", "file://" + dir.path() + "/b"},
       .limit_bytes = 10'000});
  ASSERT_TRUE(tier) << tier.error().ToString();
  EXPECT_EQ((*tier)->Sections().size(), 2u);
  for (const uint64_t number : {1U, 2U}) {
    EXPECT_TRUE(PutInto(tier->get(), number, std::string(5000, 'x')));
  }
  const Status full = PutInto(tier->get(), 3, std::string(5000, 'x'));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kOutOfMemory);
}

TEST(OpenTierTest, OneStoreTwiceIsRefused) {
  const ScratchDir dir;
  const std::string url = "file://" + dir.path() + "/a";
  for (const std::string& again : {url, url + "/"}) {
    const auto tier = OpenTier({.urls = {url, again}});
    ASSERT_FALSE(tier);
    EXPECT_EQ(tier.error().code, Code::kInvalidArgument);
  }
}

TEST(OpenTierTest, AnUnknownSchemeIsNamed) {
  const auto tier = OpenTier({.urls = {"gopher://place"}});
  ASSERT_FALSE(tier);
  EXPECT_EQ(tier.error().code, Code::kInvalidArgument);
  EXPECT_NE(tier.error().message.find("gopher"), std::string::npos);
}

}  // namespace
}  // namespace vitrine::store
