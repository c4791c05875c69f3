#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "client/tools/catalog_reader.h"

namespace vitrine::tools {
namespace {

class Rows : public RowSink {
 public:
  void Begin(const std::vector<std::string>& columns) override {
    columns_.push_back(columns);
  }
  void Row(const std::vector<sqlite::Value>& values) override {
    rows_.push_back(values);
  }

  std::vector<std::vector<std::string>> columns_;
  std::vector<std::vector<sqlite::Value>> rows_;
};

class CatalogReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    ASSERT_EQ(::sqlite3_open(path().c_str(), &writer_), SQLITE_OK);
    Write(
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE objects (id TEXT, size INTEGER);"
        "INSERT INTO objects VALUES ('a', 1), ('b', NULL);");
  }
  void TearDown() override {
    ::sqlite3_close(writer_);
    ::chmod(dir_.c_str(), 0700);
    std::filesystem::remove_all(dir_);
  }

  std::string path() const { return dir_ + "/catalog.db"; }
  void Write(const char* sql) {
    ASSERT_EQ(::sqlite3_exec(writer_, sql, nullptr, nullptr, nullptr),
              SQLITE_OK)
        << ::sqlite3_errmsg(writer_);
  }
  void CloseWriter() {
    ::sqlite3_close(writer_);
    writer_ = nullptr;
  }

  // Characters that mean something in a URI.
  std::string dir_ = "/tmp/vitrine-sql %41?#-XXXXXX";
  sqlite3* writer_ = nullptr;
};

TEST_F(CatalogReaderTest, NoCatalogIsNotFound) {
  auto reader = CatalogReader::Open(dir_ + "/nothing");
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Code::kNotFound);
}

TEST_F(CatalogReaderTest, WhatIsNoDatabaseIsCorrupt) {
  CloseWriter();
  std::filesystem::remove(path() + "-wal");
  std::ofstream(path()) << std::string(8192, 'x');
  auto reader = CatalogReader::Open(dir_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Code::kCorruption);
}

TEST_F(CatalogReaderTest, WhateverWouldWriteIsRefused) {
  auto reader = CatalogReader::Open(dir_);
  ASSERT_TRUE(reader) << reader.error().message;
  const std::string other = dir_ + "/other.db";
  for (const std::string& sql :
       {std::string("DELETE FROM objects"), std::string("CREATE TABLE t (x)"),
        "ATTACH '" + other + "' AS other", "VACUUM INTO '" + other + "'",
        std::string("PRAGMA user_version = 9"), std::string("BEGIN IMMEDIATE"),
        std::string("SELECT load_extension('x')"),
        std::string("SELECT 1; DROP TABLE objects")}) {
    Rows rows;
    EXPECT_FALSE(reader->Query(sql, rows)) << sql;
  }
  EXPECT_FALSE(std::filesystem::exists(other));
  Rows rows;
  ASSERT_TRUE(reader->Query("SELECT count(*) FROM objects", rows));
  EXPECT_EQ(std::get<int64_t>(rows.rows_[0][0]), 2);
}

TEST_F(CatalogReaderTest, WhatIsNoSqlIsTheCallersMistake) {
  auto reader = CatalogReader::Open(dir_);
  ASSERT_TRUE(reader);
  for (const char* sql : {"", " ; -- nothing", "SELEC", "SELECT x FROM y"}) {
    Rows rows;
    const Status status = reader->Query(sql, rows);
    ASSERT_FALSE(status) << sql;
    EXPECT_EQ(status.error().code, Code::kInvalidArgument) << sql;
  }
}

TEST_F(CatalogReaderTest, ALockedCatalogIsUnavailable) {
  Write("PRAGMA locking_mode = EXCLUSIVE; DELETE FROM objects");
  auto reader = CatalogReader::Open(dir_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Code::kUnavailable);
  EXPECT_NE(reader.error().message.find(path()), std::string::npos);
}

TEST_F(CatalogReaderTest, RowsAreSeenWhileAnotherWrites) {
  auto reader = CatalogReader::Open(dir_);
  ASSERT_TRUE(reader);
  Write("INSERT INTO objects VALUES ('c', 3)");
  Rows rows;
  ASSERT_TRUE(
      reader->Query("SELECT id, size FROM objects ORDER BY id; "
                    "SELECT x'00ff' AS raw, 0.5",
                    rows));
  ASSERT_EQ(rows.columns_.size(), 2u);
  EXPECT_EQ(rows.columns_[0], (std::vector<std::string>{"id", "size"}));
  ASSERT_EQ(rows.rows_.size(), 4u);
  EXPECT_EQ(std::get<std::string>(rows.rows_[0][0]), "a");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(rows.rows_[1][1]));
  EXPECT_EQ(std::get<sqlite::Blob>(rows.rows_[3][0]).bytes,
            std::string("\0\xff", 2));
  EXPECT_EQ(std::get<double>(rows.rows_[3][1]), 0.5);
}

TEST_F(CatalogReaderTest, ACatalogAtRestIsReadWhereNobodyMayWrite) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  CloseWriter();
  ASSERT_EQ(::chmod(dir_.c_str(), 0500), 0);
  auto reader = CatalogReader::Open(dir_);
  ASSERT_TRUE(reader) << reader.error().message;
}

}  // namespace
}  // namespace vitrine::tools
