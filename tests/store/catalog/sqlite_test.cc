#include "store/catalog/sqlite.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace vitrine::store {
namespace {

constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

class SqliteTest : public testing::Test {
 protected:
  SqliteTest() {
    std::string pattern = testing::TempDir() + "/sqlite_test.XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
    path_ = dir_ + "/test.db";
  }
  ~SqliteTest() override { std::filesystem::remove_all(dir_); }

  Database OpenWithTable() {
    auto database = Database::Open(path_, kFlags);
    EXPECT_TRUE(database);
    EXPECT_TRUE(database->Execute("CREATE TABLE t (a, b)"));
    return *std::move(database);
  }

  std::string dir_;
  std::string path_;
};

TEST_F(SqliteTest, MissingDirectoryIsAnErrorThatNamesThePath) {
  const auto database = Database::Open(dir_ + "/none/test.db", kFlags);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, Code::kIoError);
  EXPECT_NE(database.error().message.find("none/test.db"), std::string::npos);
}

TEST_F(SqliteTest, GarbageIsCorruption) {
  std::ofstream(path_) << std::string(10000, 'x');
  auto database = Database::Open(path_, kFlags);
  ASSERT_TRUE(database);  // SQLite looks at the file when it is asked for it.
  const auto version = database->QueryInteger("PRAGMA user_version");
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, Code::kCorruption);
}

TEST_F(SqliteTest, FullIsAnErrorAndRollsBack) {
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

TEST_F(SqliteTest, LockedIsUnavailable) {
  Database first = OpenWithTable();
  auto second = Database::Open(path_, kFlags);
  ASSERT_TRUE(second);
  auto transaction = Transaction::Begin(&first);
  ASSERT_TRUE(transaction);
  const auto refused = Transaction::Begin(&*second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
}

TEST_F(SqliteTest, TransactionsAreRolledBackUnlessCommitted) {
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

TEST_F(SqliteTest, BadSqlIsAnError) {
  Database database = OpenWithTable();
  EXPECT_FALSE(database.Prepare("SELECT nothing FROM nowhere"));
  EXPECT_FALSE(database.Execute("nonsense"));
  EXPECT_EQ(database.QueryInteger("SELECT a FROM t").error().code,
            Code::kNotFound);
}

TEST_F(SqliteTest, TooManyParametersAreToldByStep) {
  Database database = OpenWithTable();
  auto statement = database.Prepare("INSERT INTO t VALUES (?, 0)");
  ASSERT_TRUE(statement);
  EXPECT_FALSE(statement->Bind(1).Bind(2).Run());
  EXPECT_TRUE(statement->Bind(1).Run());  // Run has reset it.
}

TEST_F(SqliteTest, ValuesComeBackAsTheyWere) {
  Database database = OpenWithTable();
  auto insert = database.Prepare("INSERT INTO t VALUES (?, ?)");
  ASSERT_TRUE(insert);
  const std::string odd("\xff'\";--\n", 7);
  ASSERT_TRUE(insert->Bind(INT64_MIN).Bind(odd).Run());
  ASSERT_TRUE(insert->BindUnlessZero(0).Bind("").Run());
  auto select = database.Prepare("SELECT a, b, a IS NULL FROM t");
  ASSERT_TRUE(select);
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Integer(0), INT64_MIN);
  EXPECT_EQ(select->Text(1), odd);
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Integer(2), 1);
  EXPECT_EQ(select->Text(1), "");
  EXPECT_FALSE(*select->Step());
}

TEST_F(SqliteTest, MovedStatementsKeepTheirParameters) {
  Database database = OpenWithTable();
  auto prepared = database.Prepare("INSERT INTO t VALUES (?, ?)");
  ASSERT_TRUE(prepared);
  prepared->Bind(1);
  Statement statement = *std::move(prepared);
  ASSERT_TRUE(statement.Bind(2).Run());
  EXPECT_EQ(*database.QueryInteger("SELECT a * 10 + b FROM t"), 12);
}

}  // namespace
}  // namespace vitrine::store
