#include "schema/sqlite/transaction.h"

#include <gtest/gtest.h>

#include "tests/schema/sqlite/scratch_database.h"

namespace vitrine::sqlite {
namespace {

using TransactionTest = ScratchDatabaseTest;

TEST_F(TransactionTest, FullIsAnErrorAndRollsBack) {
  Database database = OpenWithTable();
  ASSERT_TRUE(database.Execute("PRAGMA max_page_count = 4"));
  {
    auto transaction = Transaction::Begin(&database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database.Execute("INSERT INTO t VALUES (1, 2)"));
    const Status status =
        database.Execute("INSERT INTO t VALUES (1, randomblob(100000))");
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kIoError);
    EXPECT_FALSE(transaction->Commit());
  }
  EXPECT_EQ(*database.QueryInteger("SELECT count(*) FROM t"), 0);
  EXPECT_TRUE(database.Execute("INSERT INTO t VALUES (1, 2)"));
}

TEST_F(TransactionTest, LockedIsUnavailable) {
  Database first = OpenWithTable();
  auto second = Database::Open(path_, kReadWrite);
  ASSERT_TRUE(second);
  auto transaction = Transaction::Begin(&first);
  ASSERT_TRUE(transaction);
  const auto refused = Transaction::Begin(&*second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
}

TEST_F(TransactionTest, TransactionsAreRolledBackUnlessCommitted) {
  Database database = OpenWithTable();
  {
    auto transaction = Transaction::Begin(&database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database.Execute("INSERT INTO t VALUES (1, 2)"));
  }
  EXPECT_EQ(*database.QueryInteger("SELECT count(*) FROM t"), 0);
  auto transaction = Transaction::Begin(&database);
  ASSERT_TRUE(transaction);
  ASSERT_TRUE(database.Execute("INSERT INTO t VALUES (1, 2)"));
  ASSERT_TRUE(transaction->Commit());
  EXPECT_EQ(*database.QueryInteger("SELECT count(*) FROM t"), 1);
}

}  // namespace
}  // namespace vitrine::sqlite
