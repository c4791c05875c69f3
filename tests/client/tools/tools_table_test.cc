#include <gtest/gtest.h>

#include "client/tools/table.h"

namespace vitrine::tools {
namespace {

TEST(TableTest, NoRowsAreNoText) {
  EXPECT_EQ(Table({Align::kLeft}).Text(), "");
}

TEST(TableTest, MissingCellsAreEmptyAndTooManyAreDropped) {
  Table table({Align::kLeft, Align::kLeft});
  table.Add({"a"});
  table.Add({"b", "c", "d"});
  EXPECT_EQ(table.Text(), "a\nb  c\n");
}

TEST(TableTest, ColumnsAreAligned) {
  Table table({Align::kLeft, Align::kRight, Align::kLeft});
  table.Add({"name", "1", "x"});
  table.Add({"n", "1000", "y"});
  EXPECT_EQ(table.Text(), "name     1  x\nn     1000  y\n");
}

TEST(TableTest, WidthCountsCharactersNotBytes) {
  EXPECT_EQ(DisplayWidth("\xc3\xa4\xe2\x82\xac"), 2u);
  Table table({Align::kLeft, Align::kLeft});
  table.Add({"\xc3\xa4", "1"});
  table.Add({"bb", "2"});
  EXPECT_EQ(table.Text(), "\xc3\xa4   1\nbb  2\n");
}

TEST(TableTest, CsvFieldsAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(CsvField("plain"), "plain");
  EXPECT_EQ(CsvField(""), "");
  EXPECT_EQ(CsvField("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvField("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(CsvField("two\nlines"), "\"two\nlines\"");
}

}  // namespace
}  // namespace vitrine::tools
