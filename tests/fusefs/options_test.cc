#include "fusefs/options.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <vitrine/socket_path.h>
#include <vitrine/version.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vitrine::fusefs {
namespace {

using Arguments = std::vector<std::string>;

class OptionsTest : public testing::Test {
 protected:
  OptionsTest() {
    std::string pattern = testing::TempDir() + "/vitrine-options-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~OptionsTest() override { std::filesystem::remove_all(dir_); }

  std::string WriteConfig(const std::string& text) const {
    std::ofstream(dir_ + "/vitrined.conf") << text;
    return dir_ + "/vitrined.conf";
  }

  // The error's text; each must be one line.
  static std::string Refusal(const Arguments& arguments) {
    const Result<CommandLine> parsed = ParseCommandLine(arguments);
    if (parsed) return "accepted";
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos);
    return parsed.error().message;
  }

  static DaemonOptions Parsed(const Arguments& arguments) {
    const Result<CommandLine> parsed = ParseCommandLine(arguments);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
    return parsed ? parsed->options : DaemonOptions{};
  }

  std::string dir_;
};

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(OptionsTest, UnknownOptionsAreNamed) {
  EXPECT_TRUE(Contains(Refusal({"--capasity", "1G"}), "--capasity"));
  EXPECT_TRUE(Contains(Refusal({"-z"}), "-z"));
  EXPECT_TRUE(Contains(Refusal({"--cap", "1G"}), "--cap"));
  EXPECT_TRUE(Contains(Refusal({"stray"}), "only options"));
}

TEST_F(OptionsTest, MissingAndRepeatedValuesAreRefused) {
  EXPECT_TRUE(Contains(Refusal({"--capacity"}), "capacity"));
  EXPECT_TRUE(Contains(Refusal({"-m", "1G", "--capacity", "2G"}), "capacity"));
  EXPECT_TRUE(Contains(Refusal({"--mount="}), "mount"));
}

// Boost would look for the end of its message for ever.
TEST_F(OptionsTest, WordsThatBoostUsesItselfAreRefusedAsOthers) {
  EXPECT_TRUE(Contains(Refusal({"--%option%", "1"}), "--%option%"));
  EXPECT_TRUE(Contains(Refusal({"--strict=%value%"}), "strict"));
  EXPECT_TRUE(Contains(Refusal({"--x%original_token%"}), "unknown"));
  for (const char* line : {"%option% = 1", "strict = %value%", "%prefix%",
                           "x%canonical_option% = 1"}) {
    const std::string path = WriteConfig(line);
    EXPECT_TRUE(Contains(Refusal({"--config", path}), path)) << line;
  }
}

TEST_F(OptionsTest, GarbageSizesAreNamed) {
  EXPECT_TRUE(Contains(Refusal({"--capacity", "8Q"}), "--capacity: '8Q'"));
  EXPECT_TRUE(Contains(Refusal({"--overshoot=-1"}), "--overshoot: '-1'"));
  EXPECT_TRUE(Contains(Refusal({"--pool", "big"}), "--pool: 'big'"));
  EXPECT_TRUE(Contains(Refusal({"--dedicated-threshold", "x"}),
                       "--dedicated-threshold: 'x'"));
  EXPECT_TRUE(Contains(Refusal({"--capacity", "0"}), "--capacity"));
}

TEST_F(OptionsTest, WordsThatAreNoChoiceAreNamed) {
  EXPECT_TRUE(Contains(Refusal({"--huge-pages", "yes"}), "'yes'"));
  EXPECT_TRUE(Contains(Refusal({"--passthrough", "ON"}), "'ON'"));
  for (const char* numa : {"", "node", "node:", "node:-1", "node:1x", "all"}) {
    EXPECT_TRUE(Contains(Refusal({"--numa", numa}), "--numa")) << numa;
  }
  EXPECT_TRUE(Contains(Refusal({"--log-level", "loud"}), "'loud'"));
}

TEST_F(OptionsTest, ExternalStoresAreRefused) {
  EXPECT_EQ(Refusal({"-e", "s3://x"}),
            "external stores are not available in this version");
  EXPECT_EQ(Refusal({"--config", WriteConfig("external-store = s3://x\n")}),
            "external stores are not available in this version");
}

TEST_F(OptionsTest, AConfigFileWithoutSenseIsNamed) {
  EXPECT_TRUE(Contains(Refusal({"--config", dir_ + "/none"}), "/none"));
  EXPECT_TRUE(Contains(Refusal({"--config", dir_}), dir_));
  EXPECT_TRUE(
      Contains(Refusal({"--config", WriteConfig("colour = red\n")}), "colour"));
  EXPECT_TRUE(Contains(Refusal({"--config", WriteConfig("just words\n")}),
                       "vitrined.conf"));
  EXPECT_TRUE(
      Contains(Refusal({"--config", WriteConfig("config = x\n")}), "config"));
  EXPECT_TRUE(Contains(Refusal({"--config", WriteConfig("capacity = big\n")}),
                       "'big'"));
}

TEST_F(OptionsTest, TheCommandLineWinsOverTheFile) {
  const std::string config = WriteConfig(
      "# a comment\ncapacity = 1G\novershoot = 16M\nmount = /mnt/file\n");
  const DaemonOptions options =
      Parsed({"--config", config, "--capacity", "2G"});
  EXPECT_EQ(options.store.capacity_bytes, uint64_t{2} << 30);
  EXPECT_EQ(options.store.overshoot_bytes, uint64_t{16} << 20);
  EXPECT_EQ(options.mount_dir, "/mnt/file");
}

TEST_F(OptionsTest, EveryKeyMayStandInTheFile) {
  const DaemonOptions options = Parsed(
      {"--config",
       WriteConfig("capacity=1G\novershoot=1M\nstate-dir=/s\nmemory-dir=/m\n"
                   "huge-pages=off\npool=0\nnuma=node:3\ndedicated-threshold="
                   "4K\nstrict="
                   "true\nsocket=/k\n"
                   "mount=/o\npassthrough=on\nlog-level=debug\n")});
  EXPECT_EQ(options.store.state_dir, "/s");
  EXPECT_EQ(options.store.memory_dir, "/m");
  EXPECT_EQ(options.store.huge_pages, Switch::kOff);
  EXPECT_TRUE(options.store.strict);
  EXPECT_EQ(options.store.dedicated_threshold_bytes, 4096U);
  EXPECT_EQ(options.store.pool_bytes, 0U);
  EXPECT_EQ(options.store.numa.mode, NumaOptions::Mode::kNode);
  EXPECT_EQ(options.store.numa.node, 3U);
  EXPECT_EQ(options.socket_path, "/k");
  EXPECT_EQ(options.mount_dir, "/o");
  EXPECT_EQ(options.passthrough, Switch::kOn);
  EXPECT_EQ(options.log_level, "debug");
}

TEST_F(OptionsTest, ShortFormsMeanWhatTheyMeantInPlasma) {
  const DaemonOptions options =
      Parsed({"-m", "1000000000", "-s", "/tmp/plasma", "-d", "/dev/shm"});
  EXPECT_EQ(options.store.capacity_bytes, 1000000000U);
  EXPECT_EQ(options.socket_path, "/tmp/plasma");
  EXPECT_EQ(options.store.memory_dir, "/dev/shm");
}

TEST_F(OptionsTest, PathsBecomeAbsoluteWithoutASlashAtTheEnd) {
  const DaemonOptions options =
      Parsed({"--mount", "here/", "--state-dir", "/a/../b//c/"});
  EXPECT_EQ(options.mount_dir,
            (std::filesystem::current_path() / "here").string());
  EXPECT_EQ(options.store.state_dir, "/b/c");
}

TEST_F(OptionsTest, WithoutArgumentsTheDefaultsHold) {
  const DaemonOptions options = Parsed({});
  EXPECT_FALSE(options.store.capacity_bytes.has_value());
  EXPECT_FALSE(options.store.overshoot_bytes.has_value());
  EXPECT_FALSE(options.store.pool_bytes.has_value());
  EXPECT_FALSE(options.store.state_dir.empty());
  EXPECT_EQ(options.store.memory_dir, "");
  EXPECT_EQ(options.mount_dir, "");
  EXPECT_EQ(options.socket_path, DefaultSocketPath());
  EXPECT_EQ(options.store.huge_pages, Switch::kAuto);
  EXPECT_EQ(options.passthrough, Switch::kAuto);
  EXPECT_EQ(options.store.numa.mode, NumaOptions::Mode::kLocal);
}

TEST_F(OptionsTest, HelpNamesEveryOptionInLinesOf80Columns) {
  const Result<CommandLine> parsed = ParseCommandLine({"--help"});
  ASSERT_TRUE(parsed);
  for (const char* option :
       {"--capacity", "--overshoot", "--state-dir", "--catalog-mode",
        "--memory-dir", "--huge-pages", "--numa", "--pool",
        "--dedicated-threshold", "--strict", "--external-store", "--socket",
        "--mount", "--passthrough", "--log-level", "--config", "--version",
        "--help"}) {
    EXPECT_TRUE(Contains(parsed->text, option)) << option;
  }
  std::istringstream lines(parsed->text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST_F(OptionsTest, OthersMayReadTheCatalogIfTheModeSaysSo) {
  EXPECT_EQ(Parsed({}).store.catalog_mode, 0600U);
  EXPECT_EQ(Parsed({"--catalog-mode", "0640"}).store.catalog_mode, 0640U);
  EXPECT_EQ(Parsed({"--catalog-mode=644"}).store.catalog_mode, 0644U);
  for (const char* mode : {"", "0666", "0400", "0700", "rw", "00600"}) {
    const auto parsed = ParseCommandLine({"--catalog-mode", mode});
    ASSERT_FALSE(parsed) << mode;
    EXPECT_TRUE(Contains(parsed.error().message, "--catalog-mode"));
  }
}

TEST_F(OptionsTest, VersionIsOneLine) {
  const Result<CommandLine> parsed = ParseCommandLine({"--version"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->text, std::string("vitrined ") + Version() + "\n");
}

}  // namespace
}  // namespace vitrine::fusefs
