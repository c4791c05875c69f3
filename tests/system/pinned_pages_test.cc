// Sealed bytes stay, although their writer has kept pages of them for a read
// that ends when he wants.  No lease shows such pages.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/aio_abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/slow_file.h"
#include "tests/system/child_process.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uid_t kUser = 54321;
constexpr uint64_t kBytes = 5 << 20;
constexpr uint64_t kPinnedAt = 3 << 20;
constexpr size_t kPinnedBytes = 8192;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

// A read that has begun and is not waited for (io_submit).
class ReadUnderWay {
 public:
  ReadUnderWay(const std::string& path, std::byte* to)
      : file_(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC)) {
    if (::syscall(SYS_io_setup, 1, &context_) != 0) return;
    iocb request = {};
    request.aio_lio_opcode = IOCB_CMD_PREAD;
    request.aio_fildes = static_cast<uint32_t>(file_.get());
    request.aio_buf = reinterpret_cast<uint64_t>(to);
    request.aio_nbytes = kPinnedBytes;
    iocb* requests[] = {&request};
    begun_ = ::syscall(SYS_io_submit, context_, 1, requests) == 1;
  }
  ReadUnderWay(const ReadUnderWay&) = delete;
  ReadUnderWay& operator=(const ReadUnderWay&) = delete;
  ~ReadUnderWay() { ::syscall(SYS_io_destroy, context_); }

  bool begun() const { return begun_; }
  // Waits for its end; true if it read all bytes.
  bool Ends() {
    io_event event = {};
    return ::syscall(SYS_io_getevents, context_, 1, 1, &event, nullptr) == 1 &&
           event.res == static_cast<int64_t>(kPinnedBytes);
  }

 private:
  const UniqueFd file_;
  aio_context_t context_ = 0;
  bool begun_ = false;
};

// How the object is made.
enum class Way { kFile, kSteps, kBlank };

struct Case {
  const char* name;
  Way way;
  const char* passthrough;
  const char* capacity = "128M";
};

class PinnedPagesTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNotRoot());
    VITRINE_REQUIRE(std::string_view(GetParam().passthrough) == "on"
                        ? WhyNoPassthrough()
                        : WhyNoMount());
    slow_.emplace();
    VITRINE_REQUIRE(slow_->works() ? "" : "no file system in user space");
  }

  void StartStore(const std::string& copies) {
    store_.emplace(StoreProcessOptions{.capacity = GetParam().capacity,
                                       .passthrough = GetParam().passthrough,
                                       .more = {"--seal-copy=" + copies}});
    Status started = store_->Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  // The writer: seals `a` with pages pinned, says so, and lets the read end.
  bool Attack(const ChildProcess::Parent& parent) const {
    slow_->CloseInChild();
    CHILD_EXPECT(Become(kUser));
    return GetParam().way == Way::kFile ? AttackByFile(parent)
                                        : AttackNatively(parent);
  }

  bool AttackByFile(const ChildProcess::Parent& parent) const {
    CHILD_EXPECT(WriteContent(store_->unsealed("a"), "a", kBytes) == 0);
    std::optional<ReadUnderWay> read;
    {
      const Mapping memory =
          MapFile(store_->unsealed("a"), PROT_READ | PROT_WRITE);
      CHILD_EXPECT(memory.size_bytes() == kBytes);
      read.emplace(slow_->path(), memory.data() + kPinnedAt);
      CHILD_EXPECT(read->begun());
    }
    CHILD_EXPECT(Rename(store_->unsealed("a"), store_->sealed("a")) == 0);
    return FinishAttack(parent, &*read);
  }

  bool AttackNatively(const ChildProcess::Parent& parent) const {
    Client client = store_->Connect();
    if (GetParam().way == Way::kBlank) CHILD_EXPECT(GetBlanks(&client));
    auto writer = client.Create(Id("a"), kBytes);
    CHILD_EXPECT(writer);
    FillContent("a", writer->bytes());
    ReadUnderWay read(slow_->path(), writer->bytes().data() + kPinnedAt);
    CHILD_EXPECT(read.begun());
    CHILD_EXPECT(writer->Seal());
    return FinishAttack(parent, &read);
  }

  // A client that creates steadily gets blanks.
  bool GetBlanks(Client* client) const {
    for (int i = 0; i < 1000; ++i) {
      auto writer = client->Create(Id("before"), kBytes);
      CHILD_EXPECT(writer);
      CHILD_EXPECT(writer->Seal());
      CHILD_EXPECT(client->Delete(Id("before")));
      if (store_->GetStatus()["objects"]["blanks"] > 0) return true;
    }
    return false;
  }

  static bool FinishAttack(const ChildProcess::Parent& parent,
                           ReadUnderWay* read) {
    parent.Say();
    CHILD_EXPECT(read->Ends());
    parent.Say();
    parent.Await();
    return true;
  }

  bool IsUnharmed() const {
    Client client = store_->Connect();
    auto object = client.Get(Id("a"));
    return object && object->size_bytes() == kBytes &&
           CheckContent("a", object->bytes()) == kBytes &&
           FileHasContent(store_->sealed("a"), "a", kBytes);
  }

  // Sets whether the object is what it was when it was sealed, after the read
  // has ended.
  void RunAttack(bool* unharmed) {
    ChildProcess writer([this](const auto& parent) { return Attack(parent); });
    ASSERT_TRUE(writer.AwaitWord());
    ASSERT_TRUE(slow_->AwaitRead());
    ASSERT_TRUE(!reads_before_ || IsUnharmed());
    slow_->Answer('Y');
    ASSERT_TRUE(writer.AwaitWord());
    *unharmed = IsUnharmed();
    writer.Tell();
    EXPECT_TRUE(writer.Succeeded());
  }

  uint64_t Copies() const {
    return store_->GetStatus()["seal_copies"]["objects"];
  }

  // Somebody reads the object before the writer's read ends.
  bool reads_before_ = true;
  std::optional<SlowFile> slow_;
  std::optional<StoreProcess> store_;
};

TEST_P(PinnedPagesTest, SealedBytesStayWhatTheyAre) {
  ASSERT_NO_FATAL_FAILURE(StartStore("auto"));
  bool unharmed = false;
  ASSERT_NO_FATAL_FAILURE(RunAttack(&unharmed));
  EXPECT_TRUE(unharmed);
  // Through the page cache the writer never had pages of the store.
  const bool had_pages = std::string_view(GetParam().name) != "PageCache";
  EXPECT_EQ(Copies() > 0, had_pages);
}

// The page cache of the mount, too, forgets what it had of the writer.
TEST_P(PinnedPagesTest, TheFirstReaderMayComeLate) {
  reads_before_ = false;
  ASSERT_NO_FATAL_FAILURE(StartStore("auto"));
  bool unharmed = false;
  ASSERT_NO_FATAL_FAILURE(RunAttack(&unharmed));
  EXPECT_TRUE(unharmed);
}

// The attack is one: else the tests above would say nothing.
class UncopiedPagesTest : public PinnedPagesTest {};

TEST_P(UncopiedPagesTest, TheirWriterChangesThemWhenSealed) {
  ASSERT_NO_FATAL_FAILURE(StartStore("never"));
  bool unharmed = true;
  ASSERT_NO_FATAL_FAILURE(RunAttack(&unharmed));
  EXPECT_FALSE(unharmed);
  EXPECT_EQ(Copies(), 0u);
}

std::string NameOf(const testing::TestParamInfo<Case>& tested) {
  return tested.param.name;
}

constexpr Case kPassthrough{"Passthrough", Way::kFile, "on"};
// Too little memory for writes past the store.
constexpr Case kCarried{"Carried", Way::kFile, "on", "48M"};
constexpr Case kPageCache{"PageCache", Way::kFile, "off"};
constexpr Case kBySteps{"BySteps", Way::kSteps, "off"};
constexpr Case kInABlank{"InABlank", Way::kBlank, "off"};

INSTANTIATE_TEST_SUITE_P(, PinnedPagesTest,
                         testing::Values(kPassthrough, kCarried, kPageCache,
                                         kBySteps, kInABlank),
                         NameOf);
// Through the page cache the writer has no pages of the store.
INSTANTIATE_TEST_SUITE_P(, UncopiedPagesTest,
                         testing::Values(kPassthrough, kCarried, kBySteps,
                                         kInABlank),
                         NameOf);

// Killed at any moment of a copy, the store leaves the whole object or none.
TEST(KilledWhileCopyingTest, NothingIsLeftHalf) {
  constexpr uint64_t kLarge = 48 << 20;
  constexpr int kRounds = 6;
  VITRINE_REQUIRE(WhyNoPassthrough());
  StoreProcess store({.capacity = "128M",
                      .passthrough = "on",
                      .more = {"--seal-copy=always"}});
  for (int round = 0; round < kRounds; ++round) {
    Status started = store.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    const std::string id = "large-" + std::to_string(round);
    ChildProcess writer([&](const auto& parent) {
      CHILD_EXPECT(WriteContent(store.unsealed(id), id, kLarge) == 0);
      parent.Say();
      (void)Rename(store.unsealed(id), store.sealed(id));
      return true;
    });
    ASSERT_TRUE(writer.AwaitWord());
    ::usleep(static_cast<useconds_t>(round) * 2000);
    store.Kill();
    EXPECT_TRUE(writer.Succeeded());
    started = store.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    EXPECT_FALSE(Exists(store.unsealed(id)));
    if (Exists(store.sealed(id))) {
      EXPECT_TRUE(FileHasContent(store.sealed(id), id, kLarge));
    }
    EXPECT_EQ(store.Stop(), 0);
  }
}

// A reader who keeps pages of an object in a pipe, and nothing else of it.
class KeptPagesTest : public testing::TestWithParam<uid_t> {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNotRoot());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  // Tells by `parent` when the pages are kept, and succeeds if they have the
  // bytes of `a` when the test goes on.
  bool Keep(const ChildProcess::Parent& parent) const {
    if (GetParam() != 0) CHILD_EXPECT(Become(GetParam()));
    int ends[2];
    CHILD_EXPECT(::pipe2(ends, O_CLOEXEC) == 0);
    std::string before(kPinnedBytes, '-');
    {
      Client client = store_.Connect();
      auto object = client.Get(Id("a"));
      CHILD_EXPECT(object);
      const auto* const pages = object->bytes().data() + kPinnedAt;
      std::memcpy(before.data(), pages, kPinnedBytes);
      const iovec part{const_cast<std::byte*>(pages), kPinnedBytes};
      CHILD_EXPECT(::vmsplice(ends[1], &part, 1, 0) ==
                   static_cast<ssize_t>(kPinnedBytes));
    }
    parent.Say();
    parent.Await();
    std::string after(kPinnedBytes, '-');
    CHILD_EXPECT(::read(ends[0], after.data(), kPinnedBytes) ==
                 static_cast<ssize_t>(kPinnedBytes));
    return before == after;
  }

  StoreProcess store_{{.capacity = "64M", .mount = false}};
};

TEST_P(KeptPagesTest, OnlyTheOwnersOwnPagesBecomeAnotherObject) {
  Client client = store_.Connect();
  std::vector<std::byte> bytes(kBytes);
  FillContent("a", bytes);
  ASSERT_TRUE(client.Put(Id("a"), bytes));
  ChildProcess reader([this](const auto& parent) { return Keep(parent); });
  ASSERT_TRUE(reader.AwaitWord());
  ASSERT_TRUE(client.Delete(Id("a")));
  ASSERT_TRUE(Eventually(
      [this] { return store_.GetStatus()["objects"]["deleted_in_use"] == 0; }));
  auto next = client.Create(Id("b"), kBytes);
  ASSERT_TRUE(next) << next.error().ToString();
  FillContent("b", next->bytes());
  reader.Tell();
  const bool kept = reader.Succeeded();
  // Root may look at all memory: there the pages are used again, which shows
  // that the test finds it.
  EXPECT_EQ(kept, GetParam() != 0);
  EXPECT_EQ(store_.GetStatus()["pool"]["reused"] == 0, kept);
}

INSTANTIATE_TEST_SUITE_P(, KeptPagesTest, testing::Values(kUser, uid_t{0}),
                         [](const auto& tested) {
                           return tested.param == 0 ? "Root" : "AnotherUser";
                         });

}  // namespace
}  // namespace vitrine
