#include "store/catalog/catalog_batch.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace vitrine::store {
namespace {

class CatalogBatchTest : public testing::Test {
 protected:
  static constexpr size_t kHistoryRows = 10;
  static constexpr CatalogLimits kLimits = {.pending_rows = 10'000,
                                            .history_rows = kHistoryRows};

  static ObjectInfo Info(uint64_t number, const std::string& id) {
    return ObjectInfo{.number = number, .id = *ObjectId::FromText(id)};
  }

  void Add(CatalogBatch* batch, ObjectEventKind kind, uint64_t number,
           const std::string& id = "a", const std::string& old_id = "") {
    ++sequence_;
    const ObjectId old = *ObjectId::FromText(old_id.empty() ? id : old_id);
    batch->AddEvent({{kind, Info(number, id), old}, sequence_, sequence_},
                    /*with_history=*/true);
  }

  int64_t sequence_ = 0;
  CatalogBatch batch_{kLimits};
};

TEST_F(CatalogBatchTest, ManyThatCameAndWentAreForgotten) {
  for (uint64_t number = 1; number <= 1000; ++number) {
    Add(&batch_, ObjectEventKind::kCreated, number);
    Add(&batch_, ObjectEventKind::kAborted, number);
  }
  EXPECT_EQ(batch_.objects().size(), kHistoryRows);
  EXPECT_EQ(batch_.events().size(), kHistoryRows);
  EXPECT_EQ(batch_.events().back().sequence, 2000);
  EXPECT_EQ(batch_.dropped().objects, 990u);
  EXPECT_EQ(batch_.dropped().events, 1990u);
}

// Invariant (1) of CatalogBatch.
TEST_F(CatalogBatchTest, ManyThatTheDatabaseKnowsAreNotForgotten) {
  for (uint64_t number = 1; number <= 1000; ++number) {
    Add(&batch_, ObjectEventKind::kDeleted, number);
  }
  EXPECT_EQ(batch_.objects().size(), 1000u);
}

// Invariant (1) of CatalogBatch.
TEST_F(CatalogBatchTest, LivingObjectsAreNeverForgotten) {
  for (uint64_t number = 1; number <= 1000; ++number) {
    Add(&batch_, ObjectEventKind::kCreated, number);
    Add(&batch_, ObjectEventKind::kSealed, number);
  }
  EXPECT_EQ(batch_.objects().size(), 1000u);
}

// Invariant (1) of CatalogBatch.
TEST_F(CatalogBatchTest, AnObjectHasOneRowWithItsNewestState) {
  Add(&batch_, ObjectEventKind::kCreated, 1, "draft");
  Add(&batch_, ObjectEventKind::kRenamed, 1, "draft2", "draft");
  Add(&batch_, ObjectEventKind::kSealed, 1, "final", "draft2");
  ASSERT_EQ(batch_.objects().size(), 1u);
  const CatalogBatch::ObjectRow& row = batch_.objects().at(1);
  EXPECT_EQ(row.last, ObjectEventKind::kSealed);
  EXPECT_EQ(row.info.id.text(), "final");
  EXPECT_TRUE(row.created);
  ASSERT_EQ(batch_.events().size(), 3u);
  EXPECT_FALSE(batch_.events()[0].old_id);
  EXPECT_EQ(batch_.events()[2].old_id->text(), "draft2");
}

TEST_F(CatalogBatchTest, MergedInNewerStateWins) {
  CatalogBatch newer(kLimits);
  Add(&batch_, ObjectEventKind::kCreated, 1);
  Add(&batch_, ObjectEventKind::kSealed, 2);
  Add(&newer, ObjectEventKind::kDeleted, 1);
  Add(&newer, ObjectEventKind::kCreated, 3);
  batch_.Merge(std::move(newer));
  EXPECT_EQ(batch_.objects().size(), 3u);
  EXPECT_EQ(batch_.objects().at(1).last, ObjectEventKind::kDeleted);
  EXPECT_TRUE(batch_.objects().at(1).created);
  EXPECT_EQ(batch_.objects().at(2).last, ObjectEventKind::kSealed);
  EXPECT_EQ(batch_.events().size(), 4u);
}

TEST_F(CatalogBatchTest, NewestUseWinsAndGoesWithItsObject) {
  ObjectInfo early = Info(1, "a");
  early.used_ns = 10;
  early.use_count = 5;
  ObjectInfo late = early;
  late.used_ns = 20;
  late.use_count = 6;
  batch_.AddUses({late});
  batch_.AddUses({early});
  ASSERT_EQ(batch_.uses().size(), 1u);
  EXPECT_EQ(batch_.uses().at(1).used_ns, 20);
  EXPECT_EQ(batch_.uses().at(1).use_count, 6u);
  Add(&batch_, ObjectEventKind::kEvicted, 1);
  EXPECT_TRUE(batch_.uses().empty());
}

TEST_F(CatalogBatchTest, ClientsThatCameAndWentAreForgotten) {
  for (uint64_t client = 1; client <= 1000; ++client) {
    batch_.AddClient(client, {"c", 1, 2, 3, 0});
    if (client > 500) batch_.RemoveClient(client, 4);
  }
  batch_.RemoveClient(5000, 4);  // The database has its row.
  EXPECT_EQ(batch_.clients().size(), 501u);
  EXPECT_EQ(batch_.clients().at(5000).connected_ns, 0);
  EXPECT_EQ(batch_.dropped().clients, 500u);
}

TEST_F(CatalogBatchTest, ClearedItIsEmpty) {
  Add(&batch_, ObjectEventKind::kCreated, 1);
  batch_.AddClient(1, {"c", 1, 2, 3, 0});
  batch_.AddUses({Info(2, "b")});
  EXPECT_EQ(batch_.rows(), 4u);
  batch_.Clear();
  EXPECT_TRUE(batch_.empty());
}

}  // namespace
}  // namespace vitrine::store
