#include "schema/sqlite/database.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/schema/sqlite/scratch_database.h"

namespace vitrine::sqlite {
namespace {

using DatabaseTest = ScratchDatabaseTest;

TEST_F(DatabaseTest, MissingDirectoryIsAnErrorThatNamesThePath) {
  const auto database =
      Database::Open(dir_.path() + "/none/test.db", kReadWrite);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, Code::kIoError);
  EXPECT_NE(database.error().message.find("none/test.db"), std::string::npos);
}

TEST_F(DatabaseTest, GarbageIsCorruption) {
  std::ofstream(path_) << std::string(10000, 'x');
  auto database = Database::Open(path_, kReadWrite);
  ASSERT_TRUE(database);  // SQLite looks at the file when it is asked for it.
  const auto version = database->QueryInteger("PRAGMA user_version");
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, Code::kCorruption);
}

TEST_F(DatabaseTest, BadSqlIsAnError) {
  Database database = OpenWithTable();
  EXPECT_FALSE(database.Prepare("SELECT nothing FROM nowhere"));
  EXPECT_FALSE(database.Execute("nonsense"));
  EXPECT_EQ(database.QueryInteger("SELECT a FROM t").error().code,
            Code::kNotFound);
}

TEST_F(DatabaseTest, SeveralStatementsArePreparedOneByOne) {
  Database database = OpenWithTable();
  const char* sql =
      "INSERT INTO t VALUES (1, 2); SELECT a FROM t; -- a comment";
  auto insert = database.PrepareFirst(&sql);
  ASSERT_TRUE(insert);
  EXPECT_TRUE(insert->writes());
  EXPECT_TRUE(insert->Run());
  auto select = database.PrepareFirst(&sql);
  ASSERT_TRUE(select);
  EXPECT_FALSE(select->writes());
  EXPECT_TRUE(*select->Step());
  auto comment = database.PrepareFirst(&sql);
  ASSERT_TRUE(comment);
  EXPECT_TRUE(comment->empty());
  EXPECT_STREQ(sql, "");
}

TEST_F(DatabaseTest, AnImmutableOneMayHaveAnyNameAndGetsNoFilesBesideIt) {
  const std::string odd = dir_.path() + "/a b%41?#\xff.db";
  {
    auto database = Database::Open(odd, kReadWrite);
    ASSERT_TRUE(database);
    ASSERT_TRUE(
        database->Execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a);"
                          "INSERT INTO t VALUES (7)"));
  }
  auto reader = Database::OpenImmutable(odd);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(*reader->QueryInteger("SELECT a FROM t"), 7);
  EXPECT_EQ(reader->path(), odd);
  EXPECT_FALSE(std::filesystem::exists(odd + "-shm"));
  EXPECT_FALSE(reader->Execute("DELETE FROM t"));
}

}  // namespace
}  // namespace vitrine::sqlite
