// More than the store can hold, in every way that there is of asking for it:
// an error that says so, never SIGBUS; and what can be evicted never stands in
// the way.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"
#include "tests/system/child_process.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

struct Kind {
  const char* name;
  uint64_t capacity_bytes;
  const char* passthrough;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

constexpr Kind kKinds[] = {{"Passthrough1GiB", uint64_t{1} << 30, "on"},
                           {"Passthrough64MiB", uint64_t{64} << 20, "on"},
                           {"Carried64MiB", uint64_t{64} << 20, "off"}};

class FullStoreTest : public testing::TestWithParam<Kind> {
 protected:
  static constexpr int kSources = 5;
  static constexpr int kFiles = 100;
  static constexpr int kCopiers = 4;
  static constexpr int kNewest = 3;  // Four were on their way in meanwhile.

  void SetUp() override {
    const std::string passthrough = GetParam().passthrough;
    VITRINE_REQUIRE(passthrough == "on" ? WhyNoPassthrough() : WhyNoMount());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    // What is there before stays, and stays right.
    ASSERT_EQ(WriteContent(store_.unsealed("kept"), "kept", kKeptBytes), 0);
    ASSERT_EQ(Rename(store_.unsealed("kept"), store_.sealed("kept")), 0);
    ASSERT_TRUE(store_.Connect().Hold(Id("kept")));
  }

  // Unharmed, and as usable as ever.
  void TearDown() override {
    if (IsSkipped() || HasFatalFailure()) return;
    EXPECT_TRUE(FileHasContent(store_.sealed("kept"), "kept", kKeptBytes));
    Client client = store_.Connect();
    // An object that was closed a moment ago may still count as open.
    EXPECT_TRUE(Eventually([&] {
      EXPECT_TRUE(client.Evict(UINT64_MAX));
      return UsedBytes() <= kKeptBytes;
    })) << store_.GetStatus().dump(1);
    const uint64_t half = Capacity() / 2;
    ASSERT_EQ(MapContent(store_.unsealed("after"), "after", half), 0);
    ASSERT_EQ(Rename(store_.unsealed("after"), store_.sealed("after")), 0);
    auto object = client.Get(Id("after"));
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_EQ(CheckContent("after", object->bytes()), half);
    object = Error{Code::kNotFound, "let go"};
    EXPECT_EQ(store_.Stop(), 0);
  }

  static uint64_t Capacity() { return GetParam().capacity_bytes; }

  uint64_t UsedBytes() const { return store_.GetStatus()["used_bytes"]; }
  bool UsedFallsTo(uint64_t bytes) const {
    return Eventually([&] { return UsedBytes() <= bytes; });
  }

  UniqueFd Make(const std::string& id) const {
    return UniqueFd(::open(store_.unsealed(id).c_str(),
                           O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  }

  // Makes files of a quarter of the capacity, by `size` (which says 0 or an
  // errno), until there is no room; fills them all by mappings.  False: not
  // ENOSPC, or not when it had to be.
  template <typename SetSize>
  bool FillByMappings(SetSize set_size) const {
    const uint64_t size = Capacity() / 4;
    std::vector<Mapping> mappings;
    int said = 0;
    while (said == 0 && mappings.size() < 8) {
      const UniqueFd fd = Make("part-" + std::to_string(mappings.size()));
      if (!fd.valid()) return false;
      said = set_size(fd.get(), static_cast<off_t>(size));
      if (said != 0) break;
      auto mapping = Mapping::Map(fd.get(), size, PROT_READ | PROT_WRITE);
      if (!mapping) return false;
      mappings.push_back(*std::move(mapping));
    }
    for (const Mapping& mapping : mappings) {
      FillContent("part", {mapping.data(), size});
    }
    for (const Mapping& mapping : mappings) {
      if (!HasContent(mapping, "part", size)) return false;
    }
    return said == ENOSPC && mappings.size() == 3;
  }

  void RemoveParts() const {
    for (int i = 0; i < 8; ++i) {
      (void)Unlink(store_.unsealed("part-" + std::to_string(i)));
    }
    EXPECT_TRUE(UsedFallsTo(kKeptBytes));
  }

  // Evictable objects all over the place.
  void FillWithEvictable() const {
    const uint64_t size = Capacity() / 32;
    for (int i = 0; i < 40; ++i) {
      const std::string id = "old-" + std::to_string(i);
      ASSERT_EQ(MapContent(store_.unsealed(id), id, size), 0) << i;
      ASSERT_EQ(Rename(store_.unsealed(id), store_.sealed(id)), 0) << i;
    }
  }

  std::string Source(int number) const {
    return sources_.path() + "/source-" + std::to_string(number % kSources);
  }

  // Where copiers note what they sealed, one number a line.
  std::string SealOrder() const { return store_.dir() + "/order"; }
  std::vector<int> SealedInOrder() const {
    std::ifstream file(SealOrder());
    return {std::istream_iterator<int>(file), std::istream_iterator<int>()};
  }

  // One shell that copies every kCopiers-th file in, and seals it.
  std::string Copier(int number) const {
    return "for i in $(seq " + std::to_string(number) + " " +
           std::to_string(kCopiers) + " " + std::to_string(kFiles - 1) +
           "); do cp '" + sources_.path() + "'/source-$((i % " +
           std::to_string(kSources) + ")) '" + store_.mount() +
           "'/unsealed/file-$i && mv '" + store_.mount() +
           "'/unsealed/file-$i '" + store_.mount() +
           "'/sealed/ && echo $i >> '" + SealOrder() + "' || exit 1; done";
  }

  static constexpr uint64_t kKeptBytes = 1 << 20;
  const ScratchDir sources_;  // Disks are too slow to keep up.
  StoreProcess store_{{.capacity = std::to_string(GetParam().capacity_bytes),
                       .passthrough = GetParam().passthrough}};
};

TEST_P(FullStoreTest, WritesEndWithNoSpace) {
  const UniqueFd fd = Make("endless");
  ASSERT_TRUE(fd.valid());
  const std::vector<char> bytes(128 << 10, 'x');
  uint64_t written = 0;
  ssize_t wrote = 0;
  while (written <= 2 * Capacity()) {
    wrote = ::write(fd.get(), bytes.data(), bytes.size());
    if (wrote < 0) break;
    written += static_cast<uint64_t>(wrote);
  }
  EXPECT_EQ(wrote, -1);
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_GE(written, Capacity() * 7 / 8);
  EXPECT_LE(written, Capacity() * 5 / 4);
  EXPECT_EQ(Unlink(store_.unsealed("endless")), 0);
}

TEST_P(FullStoreTest, FtruncateBeyondTheCapacityIsRefused) {
  const UniqueFd fd = Make("huge");
  ASSERT_TRUE(fd.valid());
  for (const uint64_t size : {Capacity(), Capacity() + 1, 100 * Capacity()}) {
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), -1) << size;
    EXPECT_TRUE(errno == ENOSPC || errno == EFBIG) << errno;
  }
  EXPECT_EQ(Unlink(store_.unsealed("huge")), 0);
}

TEST_P(FullStoreTest, MappingsAfterFtruncateNeverFault) {
  ChildProcess child([this](const auto&) {
    return FillByMappings([](int fd, off_t size) {
      return ::ftruncate(fd, size) == 0 ? 0 : errno;
    });
  });
  EXPECT_TRUE(child.Succeeded());
  RemoveParts();
}

TEST_P(FullStoreTest, MappingsAfterFallocateNeverFault) {
  ChildProcess child([this](const auto&) {
    return FillByMappings([](int fd, off_t size) {
      return ::fallocate(fd, 0, 0, size) == 0 ? 0 : errno;
    });
  });
  EXPECT_TRUE(child.Succeeded());
  RemoveParts();
}

TEST_P(FullStoreTest, NativeCreatesSayThatThereIsNoMemory) {
  Client client = store_.Connect();
  auto too_large = client.Create(Id("huge"), Capacity() + 1);
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, Code::kTooLarge);
  std::vector<Writer> writers;
  for (int i = 0; i < 3; ++i) {
    auto writer =
        client.Create(Id("part-" + std::to_string(i)), Capacity() / 4);
    ASSERT_TRUE(writer) << writer.error().ToString();
    writers.push_back(*std::move(writer));
  }
  auto refused =
      client.Create(Id("one more"), Capacity() / 4, {.timeout = Timeout(100)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kOutOfMemory);
  for (size_t i = 0; i < writers.size(); ++i) {
    FillContent("part-" + std::to_string(i), writers[i].bytes());
    ASSERT_TRUE(writers[i].Seal());
  }
  // Now there is something to evict.
  auto granted = client.Create(Id("one more"), Capacity() / 4);
  EXPECT_TRUE(granted) << granted.error().ToString();
  EXPECT_TRUE(
      FileHasContent(store_.sealed("part-2"), "part-2", Capacity() / 4));
}

TEST_P(FullStoreTest, FourCopiersBringInTenTimesTheCapacity) {
  const uint64_t size = Capacity() / 10;
  for (int i = 0; i < kSources; ++i) {
    const std::string source = "source-" + std::to_string(i);
    ASSERT_EQ(WriteContent(Source(i), source, size), 0);
  }
  std::vector<std::string> said(kCopiers);
  std::vector<int> exited(kCopiers, -1);
  std::vector<std::thread> copiers;
  for (int i = 0; i < kCopiers; ++i) {
    copiers.emplace_back([&, i] {
      exited[static_cast<size_t>(i)] =
          Shell(Copier(i), &said[static_cast<size_t>(i)]);
    });
  }
  for (std::thread& copier : copiers) copier.join();
  for (size_t i = 0; i < kCopiers; ++i) {
    EXPECT_EQ(exited[i], 0) << said[i] << store_.GetStatus()["memory"].dump(1);
  }
  const std::vector<int> order = SealedInOrder();
  ASSERT_EQ(order.size(), static_cast<size_t>(kFiles));
  size_t there = 0;
  for (size_t at = 0; at < order.size(); ++at) {
    const std::string path = store_.sealed("file-" + std::to_string(order[at]));
    const bool exists = Exists(path);
    if (at < kFiles / 2) {
      EXPECT_FALSE(exists) << path << " is one of the oldest";
    } else if (at >= kFiles - kNewest) {
      EXPECT_TRUE(exists) << path << " is one of the newest";
    }
    if (!exists) continue;
    ++there;
    EXPECT_TRUE(HasContent(MapFile(path, PROT_READ),
                           "source-" + std::to_string(order[at] % kSources),
                           size))
        << path;
  }
  EXPECT_GE(there, 5);
}

TEST_P(FullStoreTest, ACopyNearlyAsLargeAsTheStoreEvictsTheRest) {
  ASSERT_NO_FATAL_FAILURE(FillWithEvictable());
  const uint64_t size = Capacity() - Capacity() / 32;
  ASSERT_EQ(WriteContent(Source(0), "large", size), 0);
  std::string said;
  EXPECT_EQ(Shell("cp '" + Source(0) + "' '" + store_.unsealed("large") +
                      "' && mv '" + store_.unsealed("large") + "' '" +
                      store_.mount() + "/sealed/'",
                  &said),
            0)
      << said << store_.GetStatus().dump(1);
  EXPECT_TRUE(
      HasContent(MapFile(store_.sealed("large"), PROT_READ), "large", size));
  EXPECT_FALSE(Exists(store_.sealed("old-10")));
}

INSTANTIATE_TEST_SUITE_P(Kinds, FullStoreTest, testing::ValuesIn(kKinds),
                         [](const auto& tested) {
                           return std::string(tested.param.name);
                         });

}  // namespace
}  // namespace vitrine
