#include "fusefs/files/wait_nodes.h"

#include <gtest/gtest.h>

#include <string>

#include "fusefs/files/node_id.h"

namespace vitrine::fusefs {
namespace {

constexpr uid_t kUser = 1000;
constexpr uid_t kOther = 1001;

class WaitNodesTest : public ::testing::Test {
 protected:
  uint64_t Add(const std::string& id, uid_t uid = kUser) {
    return nodes_.Add(*ObjectId::FromText(id), uid);
  }
  std::string IdOf(uint64_t node) const {
    const auto id = nodes_.Find(node);
    return id ? id->text() : "";
  }

  WaitNodes nodes_{2};
};

TEST_F(WaitNodesTest, EachLookUpHasANodeOfItsOwn) {
  const uint64_t one = Add("a");
  const uint64_t two = Add("a");
  EXPECT_NE(one, two);
  EXPECT_EQ(KindOf(one), NodeKind::kWait);
  nodes_.Forget(one);
  EXPECT_EQ(IdOf(one), "");
  EXPECT_EQ(IdOf(two), "a");
}

TEST_F(WaitNodesTest, TheOldestOfAUserGivesWay) {
  const uint64_t of_other = Add("o", kOther);
  const uint64_t a = Add("a");
  const uint64_t b = Add("b");
  const uint64_t c = Add("c");
  EXPECT_EQ(IdOf(a), "");
  EXPECT_EQ(IdOf(b), "b");
  EXPECT_EQ(IdOf(c), "c");
  EXPECT_EQ(IdOf(of_other), "o");
  nodes_.Forget(a);  // The kernel has not heard of it.
  nodes_.Forget(b);
  Add("d");
  EXPECT_EQ(IdOf(c), "c");
  EXPECT_EQ(nodes_.size(), 3u);
}

TEST_F(WaitNodesTest, UnknownNodesAreIgnored) {
  nodes_.Forget(MakeNode(NodeKind::kWait, 7));
  EXPECT_EQ(nodes_.size(), 0u);
}

}  // namespace
}  // namespace vitrine::fusefs
