// The program as a whole: how it starts, refuses to start, and ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/machine/mount_table.h"
#include "tests/support/eventually.h"

namespace vitrine::fusefs {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

constexpr unsigned kPatienceSeconds = 120;

std::string ProgramPath() {
  const char* dir = std::getenv("VITRINE_PROGRAM_DIR");
  return std::string(dir != nullptr ? dir : VITRINE_DEFAULT_PROGRAM_DIR) +
         "/vitrined";
}

// A pipe's two ends.
struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    read_end = UniqueFd(ends[0]);
    write_end = UniqueFd(ends[1]);
  }
  UniqueFd read_end;
  UniqueFd write_end;
};

std::string ReadAll(const UniqueFd& fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t size = ::read(fd.get(), buffer.data(), buffer.size());
    if (size <= 0) return text;
    text.append(buffer.data(), static_cast<size_t>(size));
  }
}

// One vitrined.  Killed at destruction if it still runs.
class Process {
 public:
  explicit Process(const Arguments& arguments, bool ignore_hangup = false) {
    std::vector<std::string> words = {ProgramPath()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      if (ignore_hangup) ::signal(SIGHUP, SIG_IGN);
      ::alarm(kPatienceSeconds);  // Outlives exec, and ends what hangs.
      ::dup2(out_.write_end.get(), STDOUT_FILENO);
      ::dup2(err_.write_end.get(), STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    out_.write_end = UniqueFd();
    err_.write_end = UniqueFd();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) End(SIGKILL);
  }

  // The ready line; what it said instead if it ended.
  std::string WaitUntilReady() {
    std::string line;
    char c = 0;
    while (::read(out_.read_end.get(), &c, 1) == 1) {
      line.push_back(c);
      if (c == '\n') return line;
    }
    return line + ReadAll(err_.read_end);
  }
  // Waits until it says `part` on standard error.  False: it ended without.
  bool AwaitErr(const std::string& part) {
    char c = 0;
    while (err_said_.find(part) == std::string::npos) {
      if (::read(err_.read_end.get(), &c, 1) != 1) return false;
      err_said_.push_back(c);
    }
    return true;
  }
  void Send(int signal) const { ::kill(pid_, signal); }
  // The exit status; 128 + the number of the signal that ended it.
  int Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int End(int signal) {
    Send(signal);
    return Wait();
  }
  std::string ReadOut() const { return ReadAll(out_.read_end); }
  std::string ReadErr() const { return err_said_ + ReadAll(err_.read_end); }
  bool Runs() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  pid_t pid() const { return pid_; }

 private:
  Pipe out_;
  Pipe err_;
  std::string err_said_;  // By now.
  pid_t pid_ = -1;
};

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Why no store can be mounted here; empty: it can.
std::string WhyNoMount() {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return "no /dev/fuse";
  if (::geteuid() == 0 || ::access("/usr/bin/fusermount3", X_OK) == 0)
    return "";
  return "neither root nor fusermount3";
}

bool Unmount(const std::string& path) {
  if (::umount2(path.c_str(), MNT_DETACH) == 0) return true;
  const std::string command = "fusermount3 -uz '" + path + "'";
  return std::system(command.c_str()) == 0;
}

class VitrinedTest : public testing::Test {
 protected:
  VitrinedTest() {
    std::string pattern = testing::TempDir() + "/vitrined-XXXXXX";
    dir_ = fs::canonical(::mkdtemp(pattern.data()));
  }
  ~VitrinedTest() override {
    while (!Mounts().empty() && Unmount(Mounts().back())) continue;
    fs::remove_all(dir_);
  }

  std::string Path(const std::string& name) const { return dir_ + "/" + name; }
  // A small store in directories of this test.
  Arguments Small(const Arguments& more = {}) const {
    Arguments arguments = {"-m",          "16M",      "--state-dir",
                           Path("state"), "--socket", Path("socket")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Arguments SmallWithMount() const { return Small({"--mount", Path("mnt")}); }

  // Mount points below our directory.
  std::vector<std::string> Mounts() const {
    std::ifstream file("/proc/self/mountinfo");
    std::stringstream text;
    text << file.rdbuf();
    std::vector<std::string> found;
    for (const machine::MountEntry& entry :
         machine::ParseMountInfo(text.str())) {
      if (entry.mount_point.starts_with(dir_ + "/")) {
        found.push_back(entry.mount_point);
      }
    }
    return found;
  }
  // All there is below our directory.
  std::set<std::string> Traces() const {
    std::set<std::string> traces;
    std::error_code ignored;
    for (fs::recursive_directory_iterator entry(dir_, ignored), end;
         entry != end; entry.increment(ignored)) {
      traces.insert(entry->path());
    }
    for (const std::string& mount : Mounts()) traces.insert("mount " + mount);
    return traces;
  }

  // It must say no in one line that contains `part`, and leave nothing.
  void ExpectRefusal(const Arguments& arguments, const std::string& part) {
    const std::set<std::string> before = Traces();
    Process process(arguments);
    const int status = process.Wait();
    const std::string error = process.ReadErr();
    EXPECT_EQ(status, 2) << error;
    EXPECT_EQ(process.ReadOut(), "");
    EXPECT_TRUE(error.starts_with("vitrined: ")) << error;
    EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << error;
    EXPECT_TRUE(Contains(error, part)) << error;
    EXPECT_EQ(Traces(), before);
  }

  // Nothing but the catalog is left of a store with these arguments.
  void ExpectOnlyTheCatalogIsLeft() const {
    for (const std::string& trace : Traces()) {
      EXPECT_TRUE(trace == Path("state") ||
                  trace.starts_with(Path("state/catalog.db")))
          << trace;
    }
  }

  void Seal(const std::string& id, const std::string& bytes) const {
    std::ofstream(Path("mnt/unsealed/" + id)) << bytes;
    std::error_code failure;
    fs::rename(Path("mnt/unsealed/" + id), Path("mnt/sealed/" + id), failure);
    EXPECT_FALSE(failure) << failure.message();
  }
  std::string Read(const std::string& id) const {
    std::ifstream file(Path("mnt/sealed/" + id));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  bool SomebodyListens() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    Path("socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
    const UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                     sizeof(address)) == 0;
  }

  std::string dir_;
};

#define VITRINED_REQUIRE_MOUNT()                                   \
  if (const std::string why = WhyNoMount(); !why.empty()) {        \
    const char* ci = std::getenv("CI");                            \
    if (ci != nullptr && std::string(ci) == "true") FAIL() << why; \
    GTEST_SKIP() << why;                                           \
  }

// --- refusals ---

TEST_F(VitrinedTest, WrongOptionsAreRefused) {
  ExpectRefusal({"--frobnicate"}, "frobnicate");
  ExpectRefusal(Small({"stray"}), "only options");
  ExpectRefusal(Small({"--overshoot", "lots"}), "'lots'");
  ExpectRefusal(Small({"-e", "gopher://x"}), "gopher");
  ExpectRefusal(Small({"--config", Path("none")}), Path("none"));
}

TEST_F(VitrinedTest, SizesThatCannotBeHadAreRefused) {
  ExpectRefusal(
      {"-m", "900T", "--state-dir", Path("state"), "--socket", Path("socket")},
      "--capacity");
  ExpectRefusal(Small({"--overshoot", "900T"}), "--overshoot");
}

TEST_F(VitrinedTest, AnUnusableStateDirectoryIsRefused) {
  std::ofstream(Path("file")) << "x";
  ExpectRefusal({"--state-dir", Path("file"), "--socket", Path("socket")},
                Path("file"));
  ExpectRefusal({"--state-dir", Path("file/below"), "--socket", Path("socket")},
                Path("file/below"));
}

TEST_F(VitrinedTest, AnUnusableMemoryDirectoryIsRefused) {
  ExpectRefusal(Small({"--memory-dir", Path("none")}), Path("none"));
  ExpectRefusal(Small({"--memory-dir", "/proc"}), "/proc");
}

TEST_F(VitrinedTest, AnUnusableSocketIsRefused) {
  std::ofstream(Path("file")) << "x";
  ExpectRefusal(
      {"-m", "16M", "--state-dir", Path("a/b/state"), "--socket", Path("file")},
      Path("file"));
  EXPECT_EQ(fs::file_size(Path("file")), 1U);
  ExpectRefusal({"-m", "16M", "--state-dir", Path("state"), "--socket",
                 Path("s/" + std::string(120, 's'))},
                "socket");
}

TEST_F(VitrinedTest, AnUnusableMountPointIsRefused) {
  VITRINED_REQUIRE_MOUNT();
  std::ofstream(Path("file")) << "x";
  ExpectRefusal(Small({"--mount", Path("file")}), Path("file"));
  ExpectRefusal(Small({"--mount", Path("no/parent")}), Path("no/parent"));
}

TEST_F(VitrinedTest, AMountPointInUseIsRefused) {
  VITRINED_REQUIRE_MOUNT();
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a tmpfs needs root";
  fs::create_directory(Path("mnt"));
  ASSERT_EQ(::mount("test", Path("mnt").c_str(), "tmpfs", 0, "size=4k"), 0);
  ExpectRefusal(SmallWithMount(), Path("mnt"));
  EXPECT_EQ(Mounts(), std::vector<std::string>{Path("mnt")});
}

TEST_F(VitrinedTest, ASecondStoreIsRefusedAndTheFirstGoesOn) {
  VITRINED_REQUIRE_MOUNT();
  Process first(SmallWithMount());
  ASSERT_TRUE(Contains(first.WaitUntilReady(), " ready: "));
  ExpectRefusal(
      {"-m", "16M", "--state-dir", Path("state"), "--socket", Path("other")},
      "pid " + std::to_string(first.pid()));
  ExpectRefusal(
      {"-m", "16M", "--state-dir", Path("other"), "--socket", Path("socket")},
      Path("socket"));
  ExpectRefusal({"-m", "16M", "--state-dir", Path("other"), "--socket",
                 Path("other.socket"), "--mount", Path("mnt")},
                Path("mnt"));
  Seal("still", "alive");
  EXPECT_EQ(Read("still"), "alive");
  EXPECT_TRUE(SomebodyListens());
  EXPECT_EQ(first.End(SIGTERM), 0);
  ExpectOnlyTheCatalogIsLeft();
}

// --- ends ---

TEST_F(VitrinedTest, EverySignalThatEndsItEndsItCleanly) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    Process process(Small());
    ASSERT_TRUE(Contains(process.WaitUntilReady(), " ready: "));
    EXPECT_EQ(process.End(signal), 0) << signal;
    EXPECT_EQ(process.ReadErr(), "") << signal;
    ExpectOnlyTheCatalogIsLeft();
  }
}

TEST_F(VitrinedTest, ASecondSignalDoesNoHarm) {
  VITRINED_REQUIRE_MOUNT();
  Process process(SmallWithMount());
  ASSERT_TRUE(Contains(process.WaitUntilReady(), " ready: "));
  for (int i = 0; i < 20; ++i) {
    process.Send(i % 2 == 0 ? SIGTERM : SIGINT);
    // So they hit it at every stage of its end.
    LetPass(std::chrono::microseconds(500));
  }
  EXPECT_EQ(process.Wait(), 0);
  ExpectOnlyTheCatalogIsLeft();
}

TEST_F(VitrinedTest, ASignalDuringTheStartEndsItCleanly) {
  VITRINED_REQUIRE_MOUNT();
  for (const int delay_us : {0, 2000, 10000, 30000, 60000}) {
    Process process(SmallWithMount());
    // They hit it at every stage of its start.
    LetPass(std::chrono::microseconds(delay_us));
    const int status = process.End(SIGTERM);
    // Before it has set anything up the signal just ends it.
    EXPECT_TRUE(status == 0 || (status == 128 + SIGTERM)) << status;
    ExpectOnlyTheCatalogIsLeft();
  }
}

TEST_F(VitrinedTest, UnderNohupItOutlivesTheTerminal) {
  Process process(Small({"--log-level", "info"}), true);
  ASSERT_TRUE(Contains(process.WaitUntilReady(), " ready: "));
  process.Send(SIGHUP);
  process.Send(SIGPIPE);
  process.Send(SIGIO);
  EXPECT_TRUE(SomebodyListens());
  EXPECT_EQ(process.End(SIGTERM), 0);
  // An earlier one would have been taken first.
  EXPECT_TRUE(Contains(process.ReadErr(), "Terminated: ending"));
}

TEST_F(VitrinedTest, ReadersKeepWhatTheyHaveAndNothingElseStays) {
  VITRINED_REQUIRE_MOUNT();
  Process process(SmallWithMount());
  ASSERT_TRUE(Contains(process.WaitUntilReady(), " ready: "));
  Seal("kept", "bytes of it");
  const UniqueFd reader(
      ::open(Path("mnt/direct/kept").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(reader.valid());
  EXPECT_EQ(process.End(SIGTERM), 0);
  ExpectOnlyTheCatalogIsLeft();
  std::array<char, 16> bytes{};
  EXPECT_EQ(::pread(reader.get(), bytes.data(), bytes.size(), 0), 11);
}

TEST_F(VitrinedTest, SomebodyElsesUnmountIsSurvived) {
  VITRINED_REQUIRE_MOUNT();
  Process process(SmallWithMount());
  ASSERT_TRUE(Contains(process.WaitUntilReady(), " ready: "));
  ASSERT_TRUE(Unmount(Path("mnt")));
  EXPECT_TRUE(process.AwaitErr("unmounted"));
  EXPECT_TRUE(process.Runs());
  EXPECT_TRUE(SomebodyListens());
  EXPECT_EQ(process.End(SIGTERM), 0);
  ExpectOnlyTheCatalogIsLeft();
}

// --- restarts ---

TEST_F(VitrinedTest, AKilledStoresObjectsAreThereAfterItsRestart) {
  VITRINED_REQUIRE_MOUNT();
  for (int round = 0; round < 3; ++round) {
    Process process(SmallWithMount());
    ASSERT_TRUE(Contains(process.WaitUntilReady(), " ready: "));
    for (int earlier = 0; earlier < round; ++earlier) {
      const std::string id = "of-round-" + std::to_string(earlier);
      EXPECT_EQ(Read(id), "content of " + id);
    }
    const std::string id = "of-round-" + std::to_string(round);
    Seal(id, "content of " + id);
    EXPECT_EQ(process.End(SIGKILL), 128 + SIGKILL);
  }
  Process last(SmallWithMount());
  ASSERT_TRUE(Contains(last.WaitUntilReady(), " ready: "));
  EXPECT_EQ(Read("of-round-2"), "content of of-round-2");
  EXPECT_EQ(last.End(SIGTERM), 0);
  // The mount point was made by a store that was killed.
  ::rmdir(Path("mnt").c_str());
  ExpectOnlyTheCatalogIsLeft();
}

TEST_F(VitrinedTest, AStartThatFailsLosesNothingOfAKilledStore) {
  VITRINED_REQUIRE_MOUNT();
  {
    Process process(SmallWithMount());
    ASSERT_TRUE(Contains(process.WaitUntilReady(), " ready: "));
    Seal("precious", "bytes");
    process.End(SIGKILL);
  }
  std::ofstream(Path("file")) << "x";
  ExpectRefusal(Small({"--mount", Path("file")}), Path("file"));
  ExpectRefusal(
      {"-m", "16M", "--state-dir", Path("state"), "--socket", Path("file")},
      Path("file"));
  Process process(SmallWithMount());
  ASSERT_TRUE(Contains(process.WaitUntilReady(), " ready: "));
  EXPECT_EQ(Read("precious"), "bytes");
  EXPECT_EQ(process.End(SIGTERM), 0);
}

TEST_F(VitrinedTest, AfterACleanStopTheNextStoreIsEmpty) {
  VITRINED_REQUIRE_MOUNT();
  for (int round = 0; round < 2; ++round) {
    Process process(SmallWithMount());
    ASSERT_TRUE(Contains(process.WaitUntilReady(), " ready: "));
    EXPECT_TRUE(fs::is_empty(Path("mnt/sealed")));
    Seal("object", "bytes");
    EXPECT_EQ(process.End(SIGTERM), 0);
    ExpectOnlyTheCatalogIsLeft();
  }
}

// --- what it says ---

TEST_F(VitrinedTest, TheReadyLineSaysWhatItGot) {
  Process process(Small());
  const std::string line = process.WaitUntilReady();
  for (const std::string& part :
       {std::string("16.0 MiB"), std::string("pages"), std::string("no mount"),
        "socket " + Path("socket"), "state " + Path("state")}) {
    EXPECT_TRUE(Contains(line, part)) << line;
  }
  EXPECT_EQ(process.End(SIGTERM), 0);
  EXPECT_EQ(process.ReadOut(), "");
}

TEST_F(VitrinedTest, HelpAndVersionEndWell) {
  for (const char* option : {"--help", "-h", "--version"}) {
    Process process({option});
    EXPECT_EQ(process.Wait(), 0);
    EXPECT_FALSE(process.ReadOut().empty());
    EXPECT_EQ(process.ReadErr(), "");
  }
}

TEST_F(VitrinedTest, SystemdIsTold) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  Path("notify").copy(address.sun_path, sizeof(address.sun_path) - 1);
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
            0);
  ::setenv("NOTIFY_SOCKET", Path("notify").c_str(), 1);
  Process process(Small());
  ::unsetenv("NOTIFY_SOCKET");
  const std::string line = process.WaitUntilReady();
  std::array<char, 4096> text{};
  ASSERT_GT(::recv(fd.get(), text.data(), text.size() - 1, 0), 0);
  EXPECT_TRUE(std::string(text.data()).starts_with("READY=1\nSTATUS="));
  EXPECT_EQ(process.End(SIGTERM), 0);
  text = {};
  ASSERT_GT(::recv(fd.get(), text.data(), text.size() - 1, 0), 0);
  EXPECT_TRUE(std::string(text.data()).starts_with("STOPPING=1"));
}

}  // namespace
}  // namespace vitrine::fusefs
