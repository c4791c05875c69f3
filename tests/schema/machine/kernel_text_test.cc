#include "schema/machine/kernel_text.h"

#include <gtest/gtest.h>

#include "tests/schema/machine/fake_root.h"

namespace vitrine::machine {
namespace {

TEST(KernelTextTest, WhatCannotBeReadIsAnErrorThatNamesIt) {
  const FakeRoot root;
  const Result<std::string> missing = ReadText(root.path() + "/none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_NE(missing.error().message.find("/none"), std::string::npos);
  EXPECT_FALSE(ReadText(root.path()));  // A directory.
  EXPECT_FALSE(ReadNumber(root.path() + "/none"));
}

TEST(KernelTextTest, AnEmptyFileIsNoError) {
  const FakeRoot root;
  root.Write("empty", "");
  EXPECT_EQ(*ReadText(root.path() + "/empty"), "");
  EXPECT_FALSE(ReadNumber(root.path() + "/empty"));
}

TEST(KernelTextTest, TheSelectedWordIsInBrackets) {
  EXPECT_EQ(SelectedWord("always within_size [never] deny\n"), "never");
  EXPECT_EQ(SelectedWord("none"), "");
  EXPECT_EQ(SelectedWord("]wrong["), "");
  EXPECT_EQ(SelectedWord(""), "");
}

TEST(KernelTextTest, NumbersAreFoundAtTheStartOfLines) {
  const char* text = "XCapEff: 1\nCapEff:\t00000000ff\nMemTotal: 12 kB\n";
  EXPECT_EQ(FindNumber(text, "CapEff:", 16), 255u);
  EXPECT_EQ(FindNumber(text, "MemTotal:", 10), 12u);
  EXPECT_FALSE(FindNumber(text, "Nothing:", 10));
  EXPECT_FALSE(FindNumber("max\n", "", 10));
  EXPECT_FALSE(FindNumber("", "", 10));
  EXPECT_FALSE(FindNumber("Key:", "Key:", 10));
}

}  // namespace
}  // namespace vitrine::machine
