#include "schema/sqlite/error.h"

#include <gtest/gtest.h>

#include "tests/schema/sqlite/scratch_database.h"

namespace vitrine::sqlite {
namespace {

using SqliteErrorTest = ScratchDatabaseTest;

TEST_F(SqliteErrorTest, EveryCodeIsOneOfOurs) {
  EXPECT_EQ(CodeOf(SQLITE_NOTADB), Code::kCorruption);
  EXPECT_EQ(CodeOf(SQLITE_CORRUPT_VTAB), Code::kCorruption);
  EXPECT_EQ(CodeOf(SQLITE_BUSY_SNAPSHOT), Code::kUnavailable);
  EXPECT_EQ(CodeOf(SQLITE_LOCKED), Code::kUnavailable);
  EXPECT_EQ(CodeOf(SQLITE_NOMEM), Code::kOutOfMemory);
  EXPECT_EQ(CodeOf(SQLITE_PERM), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(SQLITE_AUTH), Code::kNotPermitted);
  EXPECT_EQ(CodeOf(SQLITE_READONLY_DIRECTORY), Code::kNotPermitted);
  EXPECT_EQ(CodeOf(SQLITE_ERROR), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(SQLITE_FULL), Code::kIoError);
  EXPECT_EQ(CodeOf(12345), Code::kIoError);
}

TEST_F(SqliteErrorTest, WhatTheSystemSaidIsToldToo) {
  const auto database = Database::Open(dir_.path(), kReadWrite);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, Code::kIoError);
  EXPECT_NE(database.error().message.find("SQLite code 14"), std::string::npos)
      << database.error().message;
  EXPECT_NE(database.error().message.find("Is a directory"), std::string::npos);
}

TEST_F(SqliteErrorTest, AMistakeInTheSqlHasNoNumber) {
  Database database = OpenWithTable();
  const Status status = database.Execute("SELEC");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, path_ + ": near \"SELEC\": syntax error");
}

}  // namespace
}  // namespace vitrine::sqlite
