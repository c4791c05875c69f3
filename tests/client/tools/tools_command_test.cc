#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "client/tools/command.h"
#include "client/tools/help.h"

namespace vitrine::tools {
namespace {

void Parse(std::vector<const char*> arguments, CLI::App* app) {
  arguments.insert(arguments.begin(), "vitrine");
  auto words =
      ProtectWords(static_cast<int>(arguments.size()), arguments.data());
  std::reverse(words.begin(), words.end());
  app->parse(std::move(words));
}

TEST(CommandTest, WordsThatTheParserWouldUnderstandAreTakenLiterally) {
  for (const char* word : {"[a,b]", "[]", "{}", "[a", "a]", "\x01[x]", "%%"}) {
    CLI::App app;
    const CLI::Option* words = AddWords(&app, "ID", "");
    Parse({word, "second"}, &app);
    EXPECT_EQ(Words(words), (std::vector<std::string>{word, "second"}));
  }
}

TEST(CommandTest, ASingleWordIsTakenLiterally) {
  for (const char* word : {"[a,b]", "{}", "\x01\x01", "a"}) {
    CLI::App app;
    std::string text;
    AddText(&app, "--id", &text, "");
    Parse({"--id", word}, &app);
    EXPECT_EQ(text, word);
  }
}

TEST(CommandTest, ARepeatedOptionLeavesTheNextWordAlone) {
  CLI::App app;
  const CLI::Option* files = AddWords(&app, "FILE", "");
  const CLI::Option* meta = AddRepeated(&app, "--meta", "");
  Parse({"--meta", "a=1", "file", "--meta", "b=2"}, &app);
  EXPECT_EQ(Words(meta), (std::vector<std::string>{"a=1", "b=2"}));
  EXPECT_EQ(Words(files), (std::vector<std::string>{"file"}));
}

TEST(CommandTest, AfterTwoDashesAWordMayBeginWithADash) {
  CLI::App app;
  const CLI::Option* words = AddWords(&app, "ID", "");
  Parse({"--", "-x", "--y"}, &app);
  EXPECT_EQ(Words(words), (std::vector<std::string>{"-x", "--y"}));
}

TEST(CommandTest, EachErrorHasItsExitCode) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(Fail("get x", {Code::kNotFound, "long story"}), kExitFailed);
  EXPECT_EQ(Fail("ls", {Code::kUnavailable, "no store"}), kExitNoStore);
  EXPECT_EQ(Fail("ls", {Code::kDisconnected, "gone"}), kExitNoStore);
  EXPECT_EQ(FailUsage("put", "no"), kExitUsage);
  EXPECT_EQ(FailWith("put \x1b", "no"), kExitFailed);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(said.substr(0, said.find('\n')), "vitrine: get x: not found");
  EXPECT_NE(said.find("put \\x1b"), std::string::npos);
}

TEST(CommandTest, AFailedIdDoesNotStopTheOthers) {
  testing::internal::CaptureStderr();
  std::vector<std::string> done;
  const int exit_code =
      ForEachId("rm", {"a", "x/y", "b", "c"}, [&](const ObjectId& id) {
        if (id.text() == "b") return Status(Error{Code::kNotFound, ""});
        done.push_back(id.text());
        return Status();
      });
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(exit_code, kExitFailed);
  EXPECT_EQ(done, (std::vector<std::string>{"a", "c"}));
}

TEST(CommandTest, AStoreThatWentAwayIsTheEnd) {
  testing::internal::CaptureStderr();
  int calls = 0;
  const int exit_code = ForEachId("rm", {"a", "b"}, [&](const ObjectId&) {
    ++calls;
    return Status(Error{Code::kDisconnected, ""});
  });
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(exit_code, kExitNoStore);
  EXPECT_EQ(calls, 1);
}

TEST(CommandTest, HelpIsWrappedAtSpaces) {
  EXPECT_EQ(WrapText("", 10), "");
  EXPECT_EQ(WrapText("aaa bbb ccc", 7), "aaa bbb\nccc");
  EXPECT_EQ(WrapText("a-word-that-is-too-long b", 5),
            "a-word-that-is-too-long\nb");
}

}  // namespace
}  // namespace vitrine::tools
