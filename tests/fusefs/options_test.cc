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
  EXPECT_TRUE(Contains(Refusal({"--seal-copy", "on"}), "'on'"));
}

TEST_F(OptionsTest, EvictedObjectsGoToEachPlaceInTurn) {
  using Urls = std::vector<std::string>;
  EXPECT_EQ(Parsed({}).store.external_stores, Urls());
  EXPECT_EQ(Parsed({"--spill", "/fast/spill/"}).store.external_stores,
            Urls({"file:///fast/spill"}));
  const StoreOptions store =
      Parsed({"-e", "file:///slow", "--spill", "/fast", "--external-store",
              "s3://bucket/prefix", "--spill-limit", "1G", "--on-exit", "keep"})
          .store;
  EXPECT_EQ(store.external_stores,
            Urls({"file:///fast", "file:///slow", "s3://bucket/prefix"}));
  EXPECT_EQ(store.spill_limit_bytes, uint64_t{1} << 30);
  EXPECT_EQ(store.on_exit, store::OnExit::kKeep);
  EXPECT_EQ(Parsed({"--config", WriteConfig("external-store = file:///a\n"
                                            "external-store = file:///b\n")})
                .store.external_stores,
            Urls({"file:///a", "file:///b"}));
}

TEST_F(OptionsTest, SpillingWithoutSenseIsRefused) {
  EXPECT_EQ(Refusal({"-e", "/dir"}),
            "--external-store: '/dir' is no URL such as file:///directory");
  EXPECT_TRUE(Contains(Refusal({"--spill", ""}), "--spill needs a path"));
  EXPECT_TRUE(Contains(Refusal({"--spill-limit", "1G"}), "needs --spill"));
  EXPECT_TRUE(Contains(Refusal({"--on-exit", "spill"}), "needs --spill"));
  EXPECT_TRUE(Contains(Refusal({"--on-exit", "burn", "--spill", "/a"}),
                       "'burn' is not drop, spill or keep"));
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
       WriteConfig(
           "capacity=1G\novershoot=1M\nstate-dir=/s\nmemory-dir=/m\n"
           "huge-pages=off\npool=0\nnuma=node:3\ndedicated-threshold="
           "4K\nstrict="
           "true\nsocket=/k\n"
           "mount=/o\npassthrough=on\nseal-copy=never\nlog-level=debug\n"
           "recover=true\ncatalog-mode=0644\nsocket-mode=0660\n"
           "socket-group=7\nabandon-after=10m\nquota=user:*:holds=5\n")});
  EXPECT_EQ(options.store.state_dir, "/s");
  EXPECT_EQ(options.store.memory_dir, "/m");
  EXPECT_EQ(options.store.huge_pages, Switch::kOff);
  EXPECT_TRUE(options.store.strict);
  EXPECT_EQ(options.store.seal_copy, SealCopy::kNever);
  EXPECT_TRUE(options.store.recover);
  EXPECT_EQ(options.store.catalog_mode, 0644U);
  EXPECT_EQ(options.store.access.socket_mode, 0660U);
  EXPECT_EQ(options.store.access.group, 7U);
  EXPECT_EQ(options.store.abandon_after, std::chrono::minutes(10));
  ASSERT_EQ(options.store.quotas.size(), 1U);
  EXPECT_EQ(options.store.dedicated_threshold_bytes, 4096U);
  EXPECT_EQ(options.store.pool_bytes, 0U);
  EXPECT_EQ(options.store.numa.mode, NumaOptions::Mode::kNode);
  EXPECT_EQ(options.store.numa.node, 3U);
  EXPECT_EQ(options.socket_path, "/k");
  EXPECT_EQ(options.mount_dir, "/o");
  EXPECT_EQ(options.passthrough, Switch::kOn);
  EXPECT_EQ(options.log_level, "debug");
}

TEST_F(OptionsTest, QuotasWithoutSenseAreNamed) {
  for (const char* quota :
       {"", "root", "user:root", "user:root:", "all:*:x=1",
        "user:*:memory=much", "user:no such user:holds=1"}) {
    EXPECT_TRUE(Contains(Refusal({"--quota", quota}), "--quota: ")) << quota;
  }
  EXPECT_TRUE(
      Contains(Refusal({"--config", WriteConfig("quota = user:*:colour=1\n")}),
               "'colour=1'"));
}

// What the accounts have of them: a later quota wins.
TEST_F(OptionsTest, QuotasOfTheCommandLineComeBehindThoseOfTheFile) {
  const std::string config =
      WriteConfig("quota = user:*:memory=1G\nquota = group:0:holds=5\n");
  const std::vector<store::Quota> quotas =
      Parsed({"--config", config, "--quota", "user:*:memory=2G,objects=7",
              "--quota=user:12:unsealed=none"})
          .store.quotas;
  ASSERT_EQ(quotas.size(), 4U);
  EXPECT_EQ(quotas[0].limits.front().second, uint64_t{1} << 30);
  EXPECT_EQ(quotas[1].id, 0U);
  EXPECT_EQ(quotas[2].limits.front().second, uint64_t{2} << 30);
  EXPECT_EQ(quotas[2].limits.back().second, 7U);
  EXPECT_EQ(quotas[3].id, 12U);
  EXPECT_EQ(quotas[3].limits.front().second, store::kUnlimited);
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
  EXPECT_EQ(options.store.seal_copy, SealCopy::kAuto);
  EXPECT_EQ(options.passthrough, Switch::kAuto);
  EXPECT_EQ(options.store.numa.mode, NumaOptions::Mode::kLocal);
}

TEST_F(OptionsTest, HelpNamesEveryOptionInLinesOf80Columns) {
  const Result<CommandLine> parsed = ParseCommandLine({"--help"});
  ASSERT_TRUE(parsed);
  for (const char* option : {"--capacity",
                             "--overshoot",
                             "--state-dir",
                             "--catalog-mode",
                             "--socket-mode",
                             "--socket-group",
                             "--allow-users",
                             "--abandon-after",
                             "--memory-dir",
                             "--huge-pages",
                             "--numa",
                             "--pool",
                             "--dedicated-threshold",
                             "--strict",
                             "--seal-copy",
                             "--quota",
                             "--recover",
                             "--external-store",
                             "--spill",
                             "--spill-limit",
                             "--on-exit",
                             "--socket",
                             "--mount",
                             "--passthrough",
                             "--log-level",
                             "--config",
                             "--version",
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

TEST_F(OptionsTest, WhoMayUseTheStoreByDefault) {
  const store::Access access = Parsed({}).store.access;
  EXPECT_FALSE(access.socket_mode);
  EXPECT_FALSE(access.group);
  EXPECT_TRUE(access.Admits(12345));
  EXPECT_EQ(access.DirectoryMode(), 0755U);
}

TEST_F(OptionsTest, SocketModeAndGroup) {
  const store::Access closed = Parsed({"--socket-mode", "0600"}).store.access;
  EXPECT_EQ(closed.socket_mode, 0600U);
  EXPECT_EQ(closed.DirectoryMode(), 0700U);
  const store::Access group = Parsed({"--socket-group=54321"}).store.access;
  EXPECT_EQ(group.group, 54321U);
  EXPECT_EQ(group.socket_mode, 0660U) << "a group alone is meant to matter";
  EXPECT_EQ(group.DirectoryMode(), 0750U);
  EXPECT_EQ(Parsed({"--socket-group", "root"}).store.access.group, 0U);
  EXPECT_EQ(Parsed({"--socket-mode=666"}).store.access.DirectoryMode(), 0755U);
  // Only who may write to a socket can connect.
  EXPECT_EQ(Parsed({"--socket-mode=644"}).store.access.DirectoryMode(), 0700U);
  for (const char* mode : {"", "0777", "0060", "8", "0660x", "-1", "rw"}) {
    EXPECT_TRUE(Contains(Refusal({"--socket-mode", mode}), "--socket-mode"))
        << mode;
  }
  for (const char* name : {"", "no-such-group", "-1", "4294967295", "1x"}) {
    EXPECT_TRUE(Contains(Refusal({std::string("--socket-group=") + name}),
                         "--socket-group"))
        << name;
  }
}

TEST_F(OptionsTest, AllowUsersIsAListThatMayBeGivenInPieces) {
  using Users = std::vector<uid_t>;
  const store::Access access =
      Parsed({"--allow-users", "54321,root", "--allow-users", "7"})
          .store.access;
  EXPECT_EQ(access.users, Users({54321, 0, 7}));
  EXPECT_TRUE(access.Admits(54321));
  EXPECT_FALSE(access.Admits(54322));
  EXPECT_TRUE(access.Admits(0));
  EXPECT_TRUE(access.Admits(::geteuid()));
  const std::string config =
      WriteConfig("allow-users = 1,2\nallow-users = 3\n");
  EXPECT_EQ(Parsed({"--config", config}).store.access.users, Users({1, 2, 3}));
  EXPECT_EQ(
      Parsed({"--config", config, "--allow-users", "9"}).store.access.users,
      Users({9}))
      << "the command line wins";
  for (const char* list : {"", "1,", ",1", "no-such-user", "1,,2", "1 2"}) {
    EXPECT_TRUE(Contains(Refusal({std::string("--allow-users=") + list}),
                         "--allow-users"))
        << list;
  }
}

TEST_F(OptionsTest, AbandonAfterIsATime) {
  using std::chrono::seconds;
  EXPECT_FALSE(Parsed({}).store.abandon_after) << "never";
  EXPECT_EQ(Parsed({"--abandon-after", "30s"}).store.abandon_after,
            seconds(30));
  EXPECT_EQ(Parsed({"--abandon-after=10m"}).store.abandon_after, seconds(600));
  EXPECT_EQ(Parsed({"--abandon-after=2h"}).store.abandon_after, seconds(7200));
  EXPECT_EQ(Parsed({"--abandon-after=1d"}).store.abandon_after, seconds(86400));
  EXPECT_EQ(Parsed({"--abandon-after=4294967295d"}).store.abandon_after,
            seconds(int64_t{86400} * 4294967295));
  for (const char* text :
       {"", "5", "s", "0s", "-1s", "1.5h", "1w", "1sx", "99999999999s"}) {
    EXPECT_TRUE(Contains(Refusal({std::string("--abandon-after=") + text}),
                         "--abandon-after"))
        << text;
  }
}

TEST_F(OptionsTest, AListAloneSaysWhoMay) {
  EXPECT_TRUE(Contains(Refusal({"--allow-users=1", "--socket-mode=0660"}),
                       "--socket-mode"));
  EXPECT_TRUE(Contains(Refusal({"--allow-users=1", "--socket-group=1"}),
                       "--socket-group"));
}

}  // namespace
}  // namespace vitrine::fusefs
