#include <gtest/gtest.h>
#include <vitrine/result.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <set>

namespace vitrine {
namespace {

TEST(ResultTest, AnErrorIsNoValue) {
  const Result<int> result = Error{Code::kGone, "the creator died"};
  EXPECT_FALSE(result);
  EXPECT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kGone);
  EXPECT_EQ(result.error().ToString(), "gone: the creator died");
}

TEST(ResultTest, AValueMayBeAnError) {
  const Result<std::string> result = std::string("error");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->size(), 5u);
}

TEST(ResultDeathTest, TheValueOfAnErrorSaysWhichAndStopsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Result<int> result = Error{Code::kGone, "the creator died"};
  EXPECT_EXIT((void)result.value(), testing::KilledBySignal(SIGABRT),
              "gone: the creator died");
  EXPECT_EXIT((void)std::move(result).value(), testing::KilledBySignal(SIGABRT),
              "gone: the creator died");
}

TEST(ResultTest, AnErrorHasAnotherValueInstead) {
  const Result<int> error = Error{Code::kGone, ""};
  EXPECT_EQ(error.value_or(7), 7);
  EXPECT_EQ(Result<int>(3).value_or(7), 3);
  EXPECT_EQ(Result<std::string>(error.error()).value_or("none"), "none");
}

TEST(ResultTest, AMoveOnlyValueMovesOut) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);
  ASSERT_TRUE(result);
  const std::unique_ptr<int> value = *std::move(result);
  EXPECT_EQ(*value, 3);
}

TEST(ResultTest, AStatusIsOkUnlessItHasAnError) {
  EXPECT_TRUE(Status());
  const Status status = Error{Code::kTimeout, "too late"};
  EXPECT_FALSE(status);
  EXPECT_EQ(status.error().message, "too late");
}

TEST(ResultTest, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int code = 1; code <= static_cast<int>(kLastCode); ++code) {
    names.insert(CodeName(static_cast<Code>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kLastCode));
  EXPECT_EQ(names.count("unknown error"), 0u);
}

TEST(ResultTest, CodesFromOutsideAreNamed) {
  EXPECT_STREQ(CodeName(static_cast<Code>(0)), "unknown error");
  EXPECT_STREQ(CodeName(static_cast<Code>(255)), "unknown error");
}

TEST(ResultTest, ErrnoBecomesTheCodeThatMeansIt) {
  EXPECT_EQ(ErrnoError("x", ENOENT).code, Code::kNotFound);
  EXPECT_EQ(ErrnoError("x", EEXIST).code, Code::kAlreadyExists);
  EXPECT_EQ(ErrnoError("x", EBUSY).code, Code::kInUse);
  EXPECT_EQ(ErrnoError("x", ENOSPC).code, Code::kOutOfMemory);
  EXPECT_EQ(ErrnoError("x", ENOMEM).code, Code::kOutOfMemory);
  EXPECT_EQ(ErrnoError("x", EACCES).code, Code::kPermissionDenied);
  EXPECT_EQ(ErrnoError("x", EPERM).code, Code::kNotPermitted);
  EXPECT_EQ(ErrnoError("x", EINTR).code, Code::kInterrupted);
  EXPECT_EQ(ErrnoError("x", EDQUOT).code, Code::kOverQuota);
  EXPECT_EQ(ErrnoError("x", EMFILE).code, Code::kTooMany);
  EXPECT_EQ(ErrnoError("x", ENFILE).code, Code::kTooMany);
  EXPECT_EQ(ErrnoError("x", 99999).code, Code::kIoError);
  EXPECT_EQ(ErrnoError("open a", ENOENT).message,
            "open a: No such file or directory");
}

}  // namespace
}  // namespace vitrine
