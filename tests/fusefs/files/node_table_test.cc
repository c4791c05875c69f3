#include "fusefs/files/node_table.h"

#include <gtest/gtest.h>

#include <vector>

namespace vitrine::fusefs {
namespace {

// The table never looks into an object: any pointer will do.
ObjectRef MakeObject(int* place) {
  return ObjectRef(std::make_shared<int>(0),
                   reinterpret_cast<store::ObjectRecord*>(place));
}

class NodeTableTest : public ::testing::Test {
 protected:
  int place_ = 0;
  NodeTable nodes_;
};

TEST_F(NodeTableTest, UnknownNodesAreIgnored) {
  nodes_.Forget(ObjectNode(1), 5);
  EXPECT_FALSE(nodes_.FindObject(ObjectNode(1)));
  EXPECT_TRUE(nodes_.DirsOf(ObjectNode(1)).empty());
}

// Invariant (1) of NodeTable.
TEST_F(NodeTableTest, NodeLivesUntilEveryLookupIsForgotten) {
  const ObjectRef object = MakeObject(&place_);
  for (int i = 0; i < 3; ++i) nodes_.Add(ObjectNode(1), object, kSealedDir);
  nodes_.Forget(ObjectNode(1), 2);
  EXPECT_EQ(nodes_.FindObject(ObjectNode(1)), object);
  nodes_.Forget(ObjectNode(1), 1);
  EXPECT_TRUE(nodes_.DirsOf(ObjectNode(1)).empty());
}

TEST_F(NodeTableTest, ForgettingTooMuchDropsTheNode) {
  nodes_.Add(ObjectNode(1), MakeObject(&place_), kSealedDir);
  nodes_.Forget(ObjectNode(1), 100);
  EXPECT_EQ(nodes_.size(), 0u);
}

// Invariant (2) of NodeTable.
TEST_F(NodeTableTest, LetsGoOfTheObjectWithTheNode) {
  const ObjectRef object = MakeObject(&place_);
  nodes_.Add(ObjectNode(1), object, kSealedDir);
  EXPECT_EQ(object.use_count(), 2);
  nodes_.Forget(ObjectNode(1), 1);
  EXPECT_EQ(object.use_count(), 1);
}

TEST_F(NodeTableTest, TellsWhereANodeHasNames) {
  using Dirs = std::vector<uint64_t>;
  const uint64_t node = ObjectNode(1);
  nodes_.AddName(node, kSealedDir);  // Not known.
  EXPECT_EQ(nodes_.DirsOf(node), Dirs());
  nodes_.Add(node, MakeObject(&place_), kUnsealedDir);
  nodes_.Add(node, MakeObject(&place_), kWaitDir);
  EXPECT_EQ(nodes_.DirsOf(node), Dirs({kUnsealedDir, kWaitDir}));
  nodes_.AddName(node, kSealedDir);
  nodes_.DropName(node, kUnsealedDir);
  EXPECT_EQ(nodes_.DirsOf(node), Dirs({kSealedDir, kWaitDir}));
  nodes_.Forget(node, 2);
  EXPECT_EQ(nodes_.DirsOf(node), Dirs());
}

TEST(NodeIdTest, KindsAndFixedNodesNeverMeet) {
  for (uint64_t number : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 59}) {
    EXPECT_EQ(KindOf(ObjectNode(number)), NodeKind::kObject);
    EXPECT_EQ(KindOf(DirectNode(number)), NodeKind::kDirect);
    EXPECT_GT(ObjectNode(number), kStatusFile);
  }
  for (uint64_t node = kRootNode; node <= kStatusFile; ++node) {
    EXPECT_EQ(KindOf(node), NodeKind::kFixed);
  }
}

}  // namespace
}  // namespace vitrine::fusefs
