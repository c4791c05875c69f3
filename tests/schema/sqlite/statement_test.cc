#include "schema/sqlite/statement.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/schema/sqlite/scratch_database.h"

namespace vitrine::sqlite {
namespace {

using StatementTest = ScratchDatabaseTest;

TEST_F(StatementTest, AFailedStepNamesTheDatabase) {
  Database database = OpenWithTable();
  ASSERT_TRUE(database.Execute("CREATE UNIQUE INDEX u ON t (a)"));
  auto insert = database.Prepare("INSERT INTO t VALUES (1, 1), (1, 1)");
  ASSERT_TRUE(insert);
  const auto row = insert->Step();
  ASSERT_FALSE(row);
  EXPECT_NE(row.error().message.find(path_), std::string::npos);
}

TEST_F(StatementTest, TooManyParametersAreToldByStep) {
  Database database = OpenWithTable();
  auto statement = database.Prepare("INSERT INTO t VALUES (?, 0)");
  ASSERT_TRUE(statement);
  EXPECT_FALSE(statement->Bind(1).Bind(2).Run());
  EXPECT_TRUE(statement->Bind(1).Run());  // Run has reset it.
}

TEST_F(StatementTest, ValuesComeBackAsTheyWere) {
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

TEST_F(StatementTest, MovedStatementsKeepTheirParameters) {
  Database database = OpenWithTable();
  auto prepared = database.Prepare("INSERT INTO t VALUES (?, ?)");
  ASSERT_TRUE(prepared);
  prepared->Bind(1);
  Statement statement = *std::move(prepared);
  ASSERT_TRUE(statement.Bind(2).Run());
  EXPECT_EQ(*database.QueryInteger("SELECT a * 10 + b FROM t"), 12);
}

TEST_F(StatementTest, ColumnsHaveNamesAndValuesOfEveryType) {
  Database database = OpenWithTable();
  auto select = database.Prepare(
      "SELECT NULL AS n, -1 AS i, 0.5 AS r, 'x' || char(0) AS t,"
      " x'00ff' AS b, x'' AS e");
  ASSERT_TRUE(select);
  ASSERT_TRUE(*select->Step());
  ASSERT_EQ(select->columns(), 6);
  EXPECT_EQ(select->Name(5), "e");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(select->ValueOf(0)));
  EXPECT_EQ(std::get<int64_t>(select->ValueOf(1)), -1);
  EXPECT_EQ(std::get<double>(select->ValueOf(2)), 0.5);
  EXPECT_EQ(std::get<std::string>(select->ValueOf(3)), std::string("x\0", 2));
  EXPECT_EQ(std::get<Blob>(select->ValueOf(4)).bytes, std::string("\0\xff", 2));
  EXPECT_EQ(std::get<Blob>(select->ValueOf(5)).bytes, "");
}

}  // namespace
}  // namespace vitrine::sqlite
