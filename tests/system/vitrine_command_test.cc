// The vitrine command as a shell user meets it, on a real store.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/system/store_process.h"

namespace vitrine {
namespace {

using Json = nlohmann::json;

struct Outcome {
  int exit_code;
  std::string output;  // stdout and stderr.
};

// Runs a line of shell in which `vitrine` is the command that was built.
Outcome RunShell(const std::string& socket, const std::string& script) {
  Outcome outcome;
  outcome.exit_code =
      Shell("(VITRINE_SOCKET='" + socket + "'; export VITRINE_SOCKET; PATH='" +
                ProgramDir() + "':$PATH; export PATH; " + script + "\n)",
            &outcome.output);
  return outcome;
}

// Without a store.
class VitrineUsageTest : public testing::Test {
 protected:
  static Outcome Run(const std::string& script) {
    return RunShell("/nonexistent/vitrine.sock", script);
  }
};

TEST_F(VitrineUsageTest, WrongCommandLinesExitWithTwo) {
  for (const char* line : {"vitrine",
                           "vitrine bogus",
                           "vitrine --bogus",
                           "vitrine put",
                           "vitrine put -",
                           "vitrine put --id x a b",
                           "vitrine put a --meta x",
                           "vitrine put a --meta vitrine.x=1",
                           "vitrine put a --mode 9",
                           "vitrine put a --timeout soon",
                           "vitrine get",
                           "vitrine get a b",
                           "vitrine rm",
                           "vitrine wait a --any 0",
                           "vitrine wait a --any 2",
                           "vitrine wait a --any x",
                           "vitrine evict",
                           "vitrine evict lots",
                           "vitrine sql",
                           "vitrine sql --json --csv 'SELECT 1'",
                           "vitrine status ls",
                           "vitrine events -n x"}) {
    const Outcome outcome = Run(line);
    EXPECT_EQ(outcome.exit_code, 2) << line << "\n" << outcome.output;
    EXPECT_EQ(outcome.output.find("vitrine"), 0u) << outcome.output;
  }
}

TEST_F(VitrineUsageTest, WithoutAStoreTheExitStatusIsThree) {
  for (const char* line :
       {"vitrine ls", "vitrine get a", "vitrine put /etc/passwd",
        "vitrine stat a", "vitrine seal a", "vitrine abort a", "vitrine rm a",
        "vitrine wait a", "vitrine hold a", "vitrine unhold a",
        "vitrine evict 1M", "vitrine events", "vitrine status",
        "vitrine status --wait --timeout 200ms", "vitrine sql 'SELECT 1'"}) {
    const Outcome outcome = Run(line);
    EXPECT_EQ(outcome.exit_code, 3) << line << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find("/nonexistent/vitrine.sock"),
              std::string::npos)
        << outcome.output;
  }
}

TEST_F(VitrineUsageTest, EveryCommandExplainsItself) {
  const Outcome whole = Run("vitrine --help");
  EXPECT_EQ(whole.exit_code, 0);
  for (const char* command :
       {"put", "get", "ls", "stat", "seal", "abort", "rm", "wait", "hold",
        "unhold", "evict", "events", "status", "sql", "doctor"}) {
    EXPECT_NE(whole.output.find(std::string("\n  ") + command + " "),
              std::string::npos)
        << command;
    const Outcome own = Run(std::string("vitrine ") + command + " --help");
    EXPECT_EQ(own.exit_code, 0);
    EXPECT_NE(own.output.find("Exit status"), std::string::npos);
  }
  EXPECT_EQ(Run("vitrine --version").exit_code, 0);
}

TEST_F(VitrineUsageTest, AFullStandardOutputIsAnError) {
  EXPECT_EQ(Run("vitrine --help > /dev/full").exit_code, 1);
}

TEST_F(VitrineUsageTest, DoctorJudgesTheMachineWithoutAStore) {
  const Outcome outcome = Run("vitrine doctor --json");
  const Json json = Json::parse(outcome.output, nullptr, false);
  ASSERT_TRUE(json.is_object()) << outcome.output;
  EXPECT_EQ(outcome.exit_code, json["works"] == true ? 0 : 1);
  EXPECT_GT(json["checks"].size(), 10u);
  for (const Json& check : json["checks"]) {
    if (check["verdict"] == "ok") continue;
    EXPECT_NE(check["remedy"], "") << check;
  }
}

class VitrineCommandTest : public testing::Test {
 protected:
  explicit VitrineCommandTest(bool mount = false)
      : store_({.capacity = "128M", .mount = mount}) {}
  void SetUp() override {
    const Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().message;
  }

  Outcome Run(const std::string& script) const {
    return RunShell(store_.socket(), "cd '" + store_.dir() + "'; " + script);
  }
  // What it prints; it must succeed.
  std::string Print(const std::string& script) const {
    const Outcome outcome = Run(script);
    EXPECT_EQ(outcome.exit_code, 0) << script << "\n" << outcome.output;
    return outcome.output;
  }
  // What it prints; it must exit with `exit_code`.
  std::string Fails(const std::string& script, int exit_code = 1) const {
    const Outcome outcome = Run(script);
    EXPECT_EQ(outcome.exit_code, exit_code) << script << "\n" << outcome.output;
    return outcome.output;
  }
  Json PrintJson(const std::string& script) const {
    const std::string output = Print(script);
    Json json = Json::parse(output, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << output;
    return json;
  }

  StoreProcess store_;
};

TEST_F(VitrineCommandTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(Fails("vitrine get x"), "vitrine: get x: not found\n");
  EXPECT_EQ(Fails("vitrine rm x"), "vitrine: rm x: not found\n");
  EXPECT_EQ(Fails("vitrine stat x"), "vitrine: stat x: not found\n");
  EXPECT_EQ(Fails("vitrine seal x"), "vitrine: seal x: not found\n");
  EXPECT_EQ(Fails("vitrine abort x"), "vitrine: abort x: not found\n");
  EXPECT_EQ(Fails("vitrine hold x"), "vitrine: hold x: not found\n");
  EXPECT_EQ(Fails("vitrine ls x"), "vitrine: ls x: not found\n");
  EXPECT_EQ(Print("vitrine rm -f x"), "");
  EXPECT_EQ(Fails("vitrine get x --timeout 50ms"),
            "vitrine: get x: timed out\n");
}

TEST_F(VitrineCommandTest, AFailureLeavesTheOutputFileAlone) {
  Print("echo precious > out");
  Fails("vitrine get x -o out");
  EXPECT_EQ(Print("cat out"), "precious\n");
}

TEST_F(VitrineCommandTest, NothingIsPutTwice) {
  Print("echo one > a; vitrine put a");
  EXPECT_EQ(Fails("vitrine put a"), "vitrine: put a: already exists\n");
  EXPECT_EQ(Print("vitrine get a"), "one\n");
}

TEST_F(VitrineCommandTest, WhatDoesNotFitSaysSo) {
  Fails("truncate -s 200M big; vitrine put big");
  Fails("head -c 200M /dev/zero | vitrine put - --id big --timeout 0");
  EXPECT_EQ(Print("vitrine ls -a"), "");
}

TEST_F(VitrineCommandTest, OneBadFileDoesNotStopTheOthers) {
  Fails("echo a > a; echo b > b; mkdir d; vitrine put a nothing d b");
  EXPECT_EQ(Print("vitrine ls"), "a\nb\n");
  Fails("vitrine rm a nothing b");
  EXPECT_EQ(Print("vitrine ls"), "");
}

TEST_F(VitrineCommandTest, BytesComeBackAsTheyWere) {
  Print("head -c 3000000 /dev/urandom > r; : > empty");
  Print("vitrine put r empty; cat r | vitrine put - --id piped");
  Print("vitrine put - --id stdin < r; vitrine put /proc/version");
  Print("vitrine get r | cmp - r; vitrine get piped | cmp - r");
  Print("vitrine get stdin -o copy; cmp copy r; vitrine get empty -o none");
  Print("vitrine get version | cmp - /proc/version; test ! -s none");
}

TEST_F(VitrineCommandTest, AReaderThatGoesAwayEndsItQuietly) {
  Print("head -c 50M /dev/zero | vitrine put - --id z");
  EXPECT_EQ(Print("vitrine get z | head -c 10 | wc -c"), "10\n");
  Fails("vitrine get z > /dev/full");
}

TEST_F(VitrineCommandTest, AwkwardIdsWork) {
  for (const char* id : {"[a,b]", "{}", "ls", "a b", "$x", "\\n"}) {
    const std::string quoted = "'" + std::string(id) + "'";
    EXPECT_EQ(Print("echo x | vitrine put - --id " + quoted + "; vitrine get " +
                    quoted + "; vitrine ls " + quoted),
              "x\n" + std::string(id) + "\n");
    Print("vitrine rm " + quoted);
  }
  Print("echo x | vitrine put - --id=-dash; vitrine get -- -dash");
  Fails("echo x | vitrine put - --id a/b");
}

TEST_F(VitrineCommandTest, ModeAndMetadataAreKept) {
  Print("umask 022; echo x > a; chmod 700 a; vitrine put a");
  Print("umask 077; vitrine put a --id b --mode 644 --meta k=v --meta e=");
  const Json stats = PrintJson("vitrine stat a b --json");
  EXPECT_EQ(stats[0]["mode"], "0600");
  EXPECT_EQ(stats[1]["mode"], "0644");
  EXPECT_EQ(stats[1]["metadata"], Json({{"k", "v"}, {"e", ""}}));
  EXPECT_NE(Print("vitrine stat b").find("k=v"), std::string::npos);
}

TEST_F(VitrineCommandTest, ListsAreSortedAndFiltered) {
  Print("head -c 10 /dev/zero > b; head -c 2000 /dev/zero > a; : > c");
  Print("vitrine put b; vitrine put a; vitrine put c");
  EXPECT_EQ(Print("vitrine ls"), "a\nb\nc\n");
  EXPECT_EQ(Print("vitrine ls -r"), "c\nb\na\n");
  EXPECT_EQ(Print("vitrine ls -t"), "c\na\nb\n");
  EXPECT_EQ(Print("vitrine ls -S"), "a\nb\nc\n");
  EXPECT_EQ(Print("vitrine ls '[bc]'"), "b\nc\n");
  EXPECT_EQ(Print("vitrine ls -u"), "");
  const std::string line = Print("vitrine ls -l a");
  EXPECT_EQ(line.find("-r"), 0u) << line;
  EXPECT_NE(line.find(" 2000  "), std::string::npos) << line;
  EXPECT_NE(Print("vitrine ls -h a").find("2.0 KiB"), std::string::npos);
  const Json json = PrintJson("vitrine ls --json");
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[0]["id"], "a");
  EXPECT_EQ(json[0]["size_bytes"], 2000);
  EXPECT_EQ(json[0]["sealed"], true);
}

TEST_F(VitrineCommandTest, WaitEndsWhenObjectsAreSealed) {
  Print(
      "(sleep 0.3; echo x | vitrine put - --id late) & "
      "vitrine wait late --timeout 20; wait");
  EXPECT_EQ(Print("vitrine wait --any 1 late never"), "late\n");
  EXPECT_EQ(Fails("vitrine wait late never --timeout 100ms"),
            "vitrine: wait never: timed out\n");
  EXPECT_EQ(Print("(sleep 0.3; echo y | vitrine put - --id later) & "
                  "vitrine get later --timeout 20; wait"),
            "y\n");
}

TEST_F(VitrineCommandTest, WhatIsHeldIsNotEvicted) {
  Print("head -c 1M /dev/zero > a; cp a b; vitrine put a b; vitrine hold a");
  EXPECT_NE(Fails("vitrine evict 100M").find("evicted "), std::string::npos);
  EXPECT_EQ(Print("vitrine ls"), "a\n");
  Print("vitrine unhold a; vitrine evict 1M");
  EXPECT_EQ(Print("vitrine ls"), "");
}

TEST_F(VitrineCommandTest, EventsAreToldInOrder) {
  Print("echo 1 | vitrine put - --id old");
  std::thread worker([&] {
    // The follower says that it is there by the first line it writes.
    Print(
        "until test -s log; do sleep 0.05; done; "
        "echo 2 | vitrine put - --id new; vitrine rm new");
  });
  const std::string log = Print(
      "vitrine events --existing --json -n 4 --timeout 20 > log; cat log");
  worker.join();
  std::istringstream lines(log);
  std::vector<std::string> seen;
  for (std::string line; std::getline(lines, line);) {
    const Json event = Json::parse(line, nullptr, false);
    ASSERT_TRUE(event.is_object()) << log;
    seen.push_back(event["event"].get<std::string>() + " " +
                   event.value("id", ""));
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"sealed old", "existing-done ",
                                            "sealed new", "deleted new"}));
  Fails("vitrine events --timeout 50ms");
}

TEST_F(VitrineCommandTest, StatusIsForPeopleAndForPrograms) {
  const std::string text = Print("vitrine status --wait --timeout 5");
  EXPECT_NE(text.find("capacity"), std::string::npos) << text;
  EXPECT_NE(text.find("128.0 MiB"), std::string::npos) << text;
  EXPECT_EQ(PrintJson("vitrine status --json")["capacity_bytes"], 128 << 20);
}

TEST_F(VitrineCommandTest, StatusWaitsForAStoreThatStarts) {
  const Outcome outcome =
      RunShell("/dev/null", "(sleep 0.3; ln -s '" + store_.socket() + "' '" +
                                store_.dir() +
                                "/later') & vitrine status --wait --timeout "
                                "20 --socket '" +
                                store_.dir() +
                                "/later' --json; s=$?; wait; "
                                "exit $s");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
}

TEST_F(VitrineCommandTest, SqlReadsTheCatalogAndNothingElse) {
  Print("echo x > a; vitrine put a; echo y > b; vitrine put b; sleep 0.3");
  const std::string query =
      "\"SELECT id, size_bytes FROM objects WHERE state = 'sealed' "
      "ORDER BY id\"";
  EXPECT_EQ(Print("vitrine sql " + query),
            "id  size_bytes\n--  ----------\na            2\nb            2\n");
  EXPECT_EQ(Print("vitrine sql --csv " + query), "id,size_bytes\na,2\nb,2\n");
  EXPECT_EQ(PrintJson("vitrine sql --json " + query),
            Json::parse(R"([{"id":"a","size_bytes":2},
                            {"id":"b","size_bytes":2}])"));
  EXPECT_EQ(PrintJson("vitrine sql --json 'SELECT 1 WHERE 0'"), Json::array());
  Fails("vitrine sql 'DELETE FROM objects'");
  Fails("vitrine sql 'SELECT nonsense FROM nowhere'");
  Fails("vitrine sql \"ATTACH 'x.db' AS x\"");
  store_.Stop();
  EXPECT_NE(Print("vitrine sql --state-dir state 'SELECT count(*) FROM "
                  "objects'"),
            "");
}

TEST_F(VitrineCommandTest, DoctorLooksAtTheRunningStore) {
  const Json json = PrintJson("vitrine doctor --json");
  int seen = 0;
  for (const Json& check : json["checks"]) {
    const std::string name = check["check"];
    if (name.find("store") != 0) continue;
    EXPECT_EQ(check["verdict"], "ok") << check;
    ++seen;
  }
  EXPECT_EQ(seen, 3);
}

TEST_F(VitrineCommandTest, AKilledPutLeavesNothing) {
  Print(
      "mkfifo pipe; (head -c 10M /dev/zero; sleep 30) > pipe & feeder=$!; "
      "vitrine put - --id half < pipe & putter=$!; sleep 0.5; "
      "kill -9 $putter; kill $feeder; wait; sleep 0.5; true");
  EXPECT_EQ(Print("vitrine ls -a"), "");
}

class VitrineCommandOnMountTest : public VitrineCommandTest {
 protected:
  VitrineCommandOnMountTest() : VitrineCommandTest(true) {}
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoMount());
    VitrineCommandTest::SetUp();
  }
};

TEST_F(VitrineCommandOnMountTest, WhatCpLeftIsSealedOrAborted) {
  Print("echo x > mount/unsealed/a; echo y > mount/unsealed/b");
  EXPECT_EQ(Print("vitrine ls -u"), "a\nb\n");
  EXPECT_EQ(PrintJson("vitrine ls -a --json")[0]["sealed"], false);
  EXPECT_EQ(Fails("vitrine get a"), "vitrine: get a: not sealed\n");
  Print("vitrine seal a; vitrine abort b");
  EXPECT_EQ(Print("cat mount/sealed/a; vitrine get a"), "x\nx\n");
  EXPECT_EQ(Print("ls mount/unsealed; vitrine ls -u"), "");
}

TEST_F(VitrineCommandOnMountTest, AnOpenWriterForbidsTheSeal) {
  Fails("exec 5> mount/unsealed/a; echo x >&5; vitrine seal a");
  Print("vitrine seal a; cat mount/sealed/a");
}

TEST_F(VitrineCommandOnMountTest, WhatIsPutIsAFile) {
  Print("head -c 5000000 /dev/urandom > r; vitrine put r --meta k=v");
  Print("cmp r mount/sealed/r; vitrine rm r; test ! -e mount/sealed/r");
}

TEST_F(VitrineCommandOnMountTest, DoctorReadsTheStatusThroughTheMount) {
  const Json json = PrintJson("vitrine doctor --json");
  for (const Json& check : json["checks"]) {
    if (check["check"] != "store's mount") continue;
    EXPECT_EQ(check["verdict"], "ok") << check;
    EXPECT_NE(check["detail"].get<std::string>().find(store_.mount()),
              std::string::npos);
  }
}

}  // namespace
}  // namespace vitrine
