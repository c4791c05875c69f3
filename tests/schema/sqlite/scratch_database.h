// A database in a directory that goes with the test.
#ifndef VITRINE_TESTS_SCHEMA_SQLITE_SCRATCH_DATABASE_H_
#define VITRINE_TESTS_SCHEMA_SQLITE_SCRATCH_DATABASE_H_

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "schema/sqlite/database.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::sqlite {

inline constexpr int kReadWrite = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

class ScratchDatabaseTest : public testing::Test {
 protected:
  // With an empty table t of two columns.
  Database OpenWithTable() {
    auto database = Database::Open(path_, kReadWrite);
    EXPECT_TRUE(database);
    EXPECT_TRUE(database->Execute("CREATE TABLE t (a, b)"));
    return *std::move(database);
  }

  ScratchDir dir_{"/tmp"};
  const std::string path_ = dir_.path() + "/test.db";
};

}  // namespace vitrine::sqlite

#endif  // VITRINE_TESTS_SCHEMA_SQLITE_SCRATCH_DATABASE_H_
