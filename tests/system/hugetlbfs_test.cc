// A store whose memory is a hugetlbfs: pages that the machine has set aside,
// files in whole huge pages, no write(2) and no passthrough.  What users see
// is the same: exact sizes and bytes, no copies for native readers and through
// direct/, and errors, never SIGBUS, when there is no page left.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/scratch_huge_pages.h"
#include "tests/system/child_process.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/page_frames.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kPage = 2 * kMiB;
constexpr uint64_t kPages = 40;
constexpr uint64_t kCapacity = 64 * kMiB;
constexpr uint64_t kSizes[] = {1, kPage - 1, kPage, 5 * kMiB + 3};
constexpr char kPagesFile[] =
    "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

std::string NameOf(uint64_t size_bytes) {
  return "object-" + std::to_string(size_bytes);
}

uint64_t WholePages(uint64_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

bool AllZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

// A hugetlbfs of the test's own with pages for it.
class HugetlbfsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::access(kPagesFile, W_OK) != 0) {
      GTEST_SKIP() << "huge pages cannot be reserved here";
    }
    VITRINE_REQUIRE(WhyNoMount());
    pages_.emplace(kPages);
    VITRINE_REQUIRE(pages_->available() ? "" : "no huge pages to be had");
    const std::string size = std::to_string(kPages * kPage);
    mount_.emplace("hugetlbfs", "pagesize=2M,size=" + size);
    VITRINE_REQUIRE(mount_->mounted() ? "" : "no hugetlbfs");
  }

  void TearDown() override {
    if (!store_) return;
    if (store_->pid() > 0) {
      EXPECT_EQ(store_->Stop(), 0);
    }
    EXPECT_EQ(UsedPages(), 0u) << "the store did not give all pages back";
    EXPECT_TRUE(std::filesystem::is_empty(mount_->path()));
  }

  void Start(const std::string& pool = "32M") {
    store_.emplace(StoreProcessOptions{
        .capacity = std::to_string(kCapacity),
        .more = {"--memory-dir", mount_->path(), "--pool", pool}});
    const Status started = store_->Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  // Of the mount: other tests may have pages of their own meanwhile.
  uint64_t UsedPages() const {
    struct statvfs info;
    if (::statvfs(mount_->path().c_str(), &info) != 0) return UINT64_MAX;
    return info.f_blocks - info.f_bfree;
  }

  uint64_t UsedBytes() const {
    return store_->GetStatus()["used_bytes"].get<uint64_t>();
  }

  Status Make(Client* client, const std::string& id, uint64_t size_bytes) {
    auto writer = client->Create(Id(id), size_bytes,
                                 {.timeout = Timeout(100), .announce = true});
    if (!writer) return writer.error();
    FillContent(id, writer->bytes());
    return writer->Seal();
  }

  // By everything that tells a size.
  void ExpectSize(const std::string& id, uint64_t size_bytes) const {
    struct stat info;
    ASSERT_EQ(::stat(store_->sealed(id).c_str(), &info), 0) << id;
    EXPECT_EQ(static_cast<uint64_t>(info.st_size), size_bytes);
    const auto stat = store_->Connect().Stat(Id(id));
    ASSERT_TRUE(stat) << stat.error().ToString();
    EXPECT_EQ(stat->size_bytes, size_bytes);
    int exit_code = -1;
    const auto listed = nlohmann::json::parse(
        store_->Run({"ls", "--json"}, &exit_code), nullptr, false);
    EXPECT_EQ(exit_code, 0);
    EXPECT_NE(listed.dump().find(std::to_string(size_bytes)), std::string::npos)
        << listed.dump();
  }

  // The mapping is of the hugetlbfs's own pages.
  void ExpectZeroCopy(const std::byte* address) const {
    const MappingFacts facts = FactsOfMapping(address);
    EXPECT_EQ(facts.path.rfind(mount_->path(), 0), 0u) << facts.path;
    EXPECT_EQ(facts.page_bytes, kPage);
  }

  // Bytes beyond the end are nobody's.
  void ExpectDirect(const std::string& id, uint64_t size_bytes) const {
    const Mapping mapping =
        MapFile(store_->mount() + "/direct/" + id, PROT_READ);
    ASSERT_EQ(mapping.size_bytes(), WholePages(size_bytes)) << id;
    ExpectZeroCopy(mapping.data());
    const std::span<const std::byte> all{mapping.data(), mapping.size_bytes()};
    EXPECT_EQ(CheckContent(id, all.first(size_bytes)), size_bytes);
    EXPECT_TRUE(AllZero(all.subspan(size_bytes))) << id;
  }

  std::optional<ScratchHugePages> pages_;
  std::optional<ScratchMount> mount_;
  std::optional<StoreProcess> store_;
};

TEST_F(HugetlbfsTest, MoreThanTheMachineHasIsRefusedAtStart) {
  StoreProcess store({.capacity = "1T",
                      .mount = false,
                      .more = {"--memory-dir", mount_->path()}});
  const Status started = store.Start();
  ASSERT_FALSE(started);
  const std::string& said = started.error().message;
  EXPECT_NE(said.find("huge pages"), std::string::npos) << said;
  EXPECT_NE(said.find("80.0 MiB"), std::string::npos) << said;
  // What is in short supply may be the mount's or the machine's.
  EXPECT_TRUE(said.find("nr_hugepages") != said.npos ||
              said.find("size=") != said.npos)
      << said;
  EXPECT_TRUE(std::filesystem::is_empty(mount_->path()));
}

// Enough in number, but somebody else has them.
TEST_F(HugetlbfsTest, PagesThatOthersHaveAreNotCounted) {
  const UniqueFd other(::open((mount_->path() + "/other").c_str(),
                              O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  ASSERT_EQ(::fallocate(other.get(), 0, 0, (kPages - 2) * kPage), 0);
  StoreProcess store({.capacity = std::to_string(kCapacity),
                      .mount = false,
                      .more = {"--memory-dir", mount_->path()}});
  const Status started = store.Start();
  EXPECT_FALSE(started);
  EXPECT_NE(started.error().message.find("4.0 MiB"), std::string::npos)
      << started.error().message;
  EXPECT_EQ(Unlink(mount_->path() + "/other"), 0);
}

TEST_F(HugetlbfsTest, NativeObjectsHaveExactSizesAndNoCopies) {
  ASSERT_NO_FATAL_FAILURE(Start());
  Client client = store_->Connect();
  for (const uint64_t size : kSizes) {
    SCOPED_TRACE(size);
    const std::string id = NameOf(size);
    const Status made = Make(&client, id, size);
    ASSERT_TRUE(made) << made.error().ToString();
    const auto object = client.Get(Id(id));
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_EQ(object->bytes().size(), size);
    EXPECT_EQ(CheckContent(id, object->bytes()), size);
    ExpectZeroCopy(object->bytes().data());
    ExpectSize(id, size);
    EXPECT_TRUE(FileHasContent(store_->sealed(id), id, size));
    EXPECT_TRUE(HasContent(MapFile(store_->sealed(id), PROT_READ), id, size));
    ExpectDirect(id, size);
  }
}

TEST_F(HugetlbfsTest, FilesComeInByCpAndGoOutByCat) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const ScratchDir scratch;
  for (const uint64_t size : kSizes) {
    SCOPED_TRACE(size);
    const std::string id = NameOf(size);
    const std::string source = scratch.path() + "/" + id;
    ASSERT_EQ(WriteContent(source, id, size), 0);
    std::string said;
    EXPECT_EQ(Shell("cp '" + source + "' '" + store_->unsealed(id) +
                        "' && mv '" + store_->unsealed(id) + "' '" +
                        store_->sealed(id) + "' && cat '" + store_->sealed(id) +
                        "' | cmp - '" + source + "'",
                    &said),
              0)
        << said;
    ExpectSize(id, size);
    ExpectDirect(id, size);
    const auto object = store_->Connect().Get(Id(id));
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_EQ(object->bytes().size(), size);
    EXPECT_EQ(CheckContent(id, object->bytes()), size);
  }
}

TEST_F(HugetlbfsTest, WhatWasCutOffIsZeroWhenTheFileGrowsAgain) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string path = store_->unsealed("cut");
  ASSERT_EQ(WriteContent(path, "cut", kPage), 0);
  ASSERT_EQ(::truncate(path.c_str(), 1000), 0);
  ASSERT_EQ(::truncate(path.c_str(), kMiB), 0);
  ASSERT_EQ(Rename(path, store_->sealed("cut")), 0);
  const Mapping mapping = MapFile(store_->sealed("cut"), PROT_READ);
  ASSERT_EQ(mapping.size_bytes(), kMiB);
  EXPECT_EQ(CheckContent("cut", {mapping.data(), 1000}), 1000u);
  EXPECT_TRUE(AllZero({mapping.data() + 1000, kMiB - 1000}));
}

TEST_F(HugetlbfsTest, SmallObjectsShareAPage) {
  constexpr uint64_t kObjects = 1000;
  constexpr uint64_t kBytes = 100;
  ASSERT_NO_FATAL_FAILURE(Start());
  Client client = store_->Connect();
  std::vector<std::byte> bytes(kBytes);
  for (uint64_t i = 0; i < kObjects; ++i) {
    const std::string id = "small-" + std::to_string(i);
    FillContent(id, bytes);
    ASSERT_TRUE(client.Put(Id(id), bytes));
  }
  // One that they share; a second one is kept ready.
  EXPECT_LE(UsedPages(), 2u);
  EXPECT_LE(UsedBytes(), kPage + kObjects * 512);
  for (uint64_t i = 0; i < kObjects; i += 99) {
    const std::string id = "small-" + std::to_string(i);
    const auto object = client.Get(Id(id));
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_EQ(object->bytes().size(), kBytes);
    EXPECT_EQ(CheckContent(id, object->bytes()), kBytes);
    ExpectZeroCopy(object->bytes().data());
    ExpectSize(id, kBytes);
    EXPECT_TRUE(FileHasContent(store_->sealed(id), id, kBytes));
  }
}

TEST_F(HugetlbfsTest, WithoutAPoolADeleteGivesThePagesBack) {
  ASSERT_NO_FATAL_FAILURE(Start("0"));
  Client client = store_->Connect();
  ASSERT_TRUE(Make(&client, "a", 8 * kMiB));
  EXPECT_EQ(UsedPages(), 4u);
  EXPECT_EQ(UsedBytes(), 8 * kMiB);
  ASSERT_TRUE(client.Delete(Id("a")));
  EXPECT_TRUE(Eventually([this] { return UsedPages() == 0; })) << UsedPages();
  EXPECT_EQ(UsedBytes(), 0u);
}

TEST_F(HugetlbfsTest, RecycledPagesShowNothingBeyondAnObject) {
  ASSERT_NO_FATAL_FAILURE(Start());
  Client client = store_->Connect();
  uint64_t reused = 0;
  for (const uint64_t size :
       {8 * kMiB, 6 * kMiB + 5, 4 * kMiB - 1, 6 * kMiB - 7, kPage + 1}) {
    SCOPED_TRACE(size);
    const std::string id = NameOf(size);
    const Status made = Make(&client, id, size);
    ASSERT_TRUE(made) << made.error().ToString();
    EXPECT_EQ(store_->GetStatus()["pool"]["reused"], reused++);
    {
      const auto object = client.Get(Id(id));
      ASSERT_TRUE(object) << object.error().ToString();
      const std::byte* data = object->bytes().data();
      EXPECT_EQ(CheckContent(id, object->bytes()), size);
      // The mapping is of whole pages.
      EXPECT_TRUE(AllZero({data + size, WholePages(size) - size}));
    }
    ASSERT_TRUE(client.Delete(Id(id)));
    ASSERT_TRUE(Eventually([this] {
      return store_->GetStatus()["pool"]["segments"] == 1;
    })) << store_->GetStatus().dump(1);
  }
}

// A mapping of less than whole pages could not be unmapped.
TEST_F(HugetlbfsTest, SteadyCreatesOfPartsOfPagesLeaveNothing) {
  ASSERT_NO_FATAL_FAILURE(Start());
  {
    Client client = store_->Connect();
    std::vector<std::byte> bytes(300'000);
    for (int i = 0; i < 60; ++i) {
      const std::string id = "steady-" + std::to_string(i);
      FillContent(id, bytes);
      const Status put = client.Put(Id(id), bytes);
      ASSERT_TRUE(put) << i << ": " << put.error().ToString();
      const auto object = client.Get(Id(id));
      ASSERT_TRUE(object);
      EXPECT_EQ(CheckContent(id, object->bytes()), bytes.size());
      ASSERT_TRUE(client.Delete(Id(id)));
    }
    EXPECT_GT(store_->GetStatus()["server"]["rings"]["blanks_sealed"], 0)
        << store_->GetStatus().dump(1);
  }
  EXPECT_TRUE(Eventually([this] {
    const auto status = store_->GetStatus();
    return status["used_bytes"] == 0 &&
           status["objects"]["deleted_in_use"] == 0;
  })) << store_->GetStatus().dump(1);
}

TEST_F(HugetlbfsTest, FilledUpItSaysSo) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ChildProcess child([this](const auto&) {
    Client client = store_->Connect();
    std::vector<Writer> writers;
    for (;;) {
      auto writer = client.Create(Id("part-" + std::to_string(writers.size())),
                                  8 * kMiB, {.timeout = Timeout(100)});
      if (!writer)
        return writer.error().code == Code::kOutOfMemory && writers.size() == 8;
      FillContent("part", writer->bytes());
      writers.push_back(*std::move(writer));
    }
  });
  EXPECT_TRUE(child.Succeeded());
  EXPECT_TRUE(Eventually([this] { return UsedBytes() == 0; }));
  EXPECT_EQ(WriteContent(store_->unsealed("endless"), "x", 2 * kCapacity),
            ENOSPC);
  EXPECT_EQ(Unlink(store_->unsealed("endless")), 0);
}

// The machine's pages are not the store's alone.
TEST_F(HugetlbfsTest, PagesThatOthersTookAreAnErrorToo) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string other = mount_->path() + "/other";
  const UniqueFd taken(
      ::open(other.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  ASSERT_EQ(::fallocate(taken.get(), 0, 0, (kPages - 2) * kPage), 0);
  Client client = store_->Connect();
  EXPECT_TRUE(Make(&client, "fits", 4 * kMiB));
  // Else it makes room for the file, whose size nobody knows at first.
  EXPECT_TRUE(client.Hold(Id("fits")));
  const Status made = Make(&client, "large", 8 * kMiB);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kOutOfMemory) << made.error().ToString();
  EXPECT_EQ(WriteContent(store_->unsealed("file"), "x", 8 * kMiB), ENOSPC);
  EXPECT_EQ(Unlink(store_->unsealed("file")), 0);
  EXPECT_EQ(UsedBytes(), 4 * kMiB);
  ASSERT_EQ(Unlink(other), 0);
}

TEST_F(HugetlbfsTest, AKilledStoreKeepsWhatWasSealed) {
  ASSERT_NO_FATAL_FAILURE(Start());
  {
    Client client = store_->Connect();
    for (const uint64_t size : kSizes) {
      ASSERT_TRUE(Make(&client, NameOf(size), size));
    }
    ASSERT_TRUE(Make(&client, "deleted", 8 * kMiB));
    ASSERT_TRUE(client.Delete(Id("deleted")));
    std::vector<std::byte> bytes(100);
    FillContent("small", bytes);
    ASSERT_TRUE(client.Put(Id("small"), bytes));
  }
  store_->Kill();
  const Status started = store_->Start();
  ASSERT_TRUE(started) << started.error().ToString();
  for (const uint64_t size : kSizes) {
    SCOPED_TRACE(size);
    ExpectSize(NameOf(size), size);
    EXPECT_TRUE(
        FileHasContent(store_->sealed(NameOf(size)), NameOf(size), size));
    ExpectDirect(NameOf(size), size);
  }
  EXPECT_TRUE(FileHasContent(store_->sealed("small"), "small", 100));
  // Six of the objects' own and a slab: what was recycled is gone.
  EXPECT_EQ(UsedPages(), 7u);
}

TEST_F(HugetlbfsTest, AListOfUsersIsRefusedAndAGroupIsNot) {
  const auto with = [this](const std::string& option) {
    store_.emplace(
        StoreProcessOptions{.capacity = std::to_string(kCapacity),
                            .more = {"--memory-dir", mount_->path(), option}});
    return store_->Start();
  };
  const Status listed = with("--allow-users=54331");
  ASSERT_FALSE(listed);
  EXPECT_NE(listed.error().message.find("--socket-group"), std::string::npos)
      << listed.error().message;
  const Status grouped = with("--socket-group=54331");
  ASSERT_TRUE(grouped) << grouped.error().ToString();
  struct stat info {};
  ASSERT_EQ(::stat((mount_->path() + "/segments").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0750u);
  EXPECT_EQ(info.st_gid, 54331u);
  // Its pages were set aside: no shortage of other memory concerns it.
  EXPECT_FALSE(store_->GetStatus().contains("pressure"));
}

}  // namespace
}  // namespace vitrine
