// Zero copies: a C++ program and a Python program that map an object have the
// very same physical pages, however the object came into the store.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/page_frames.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uint64_t kLargeBytes = uint64_t{1} << 30;
constexpr uint64_t kBytes = uint64_t{256} << 20;
constexpr char kScript[] = VITRINE_SOURCE_DIR "/tests/system/page_frames.py";

std::string WhyNoFrames() {
  if (::geteuid() != 0) return "only root is told of page frames";
  const std::vector<std::byte> page(1);
  const auto frames = PageFrames(page);
  if (frames.empty() || frames[0] == 0) {
    return "/proc/self/pagemap says nothing here";
  }
  if (Shell("python3 -c 'import mmap'") != 0) return "there is no python3";
  return WhyNoPassthrough();
}

class SharedPagesTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoFrames());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  // What Python has mapped.
  std::vector<uint64_t> PythonsFrames(const std::string& path) const {
    const std::string output = store_.dir() + "/frames";
    std::string said;
    const int exited = Shell(std::string("python3 '") + kScript + "' '" + path +
                                 "' 2>&1 > '" + output + "'",
                             &said);
    EXPECT_EQ(exited, 0) << said;
    std::ifstream file(output, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    std::vector<uint64_t> frames(bytes.size() / sizeof(uint64_t));
    std::memcpy(frames.data(), bytes.data(), frames.size() * sizeof(uint64_t));
    return frames;
  }

  // The kernel may move pages between the two looks, but not every time.
  void ExpectSamePages(const std::string& path,
                       std::span<const std::byte> bytes) const {
    size_t different = bytes.size();
    for (int tries = 0; tries < 5 && different > 0; ++tries) {
      const std::vector<uint64_t> theirs = PythonsFrames(path);
      const std::vector<uint64_t> ours = PageFrames(bytes);
      ASSERT_EQ(theirs.size(), ours.size());
      different = 0;
      for (size_t i = 0; i < ours.size(); ++i) {
        different += ours[i] == 0 || ours[i] != theirs[i] ? 1 : 0;
      }
    }
    EXPECT_EQ(different, 0u) << "pages of " << bytes.size() / 4096;
  }

  // A file that grew by write gets its huge pages at or soon after its seal.
  void ExpectHugePages(const std::string& path, uint64_t size_bytes) const {
    if (!store_.GetStatus()["memory"]["huge_pages"].get<bool>()) return;
    uint64_t huge = 0;
    EXPECT_TRUE(Eventually([&] {
      const Mapping mapping = MapFile(path, PROT_READ);
      (void)PageFrames({mapping.data(), mapping.size_bytes()});
      huge = HugeMappedBytes(mapping.data());
      return huge == size_bytes;
    })) << huge
        << " of " << size_bytes;
  }

  void ExpectShared(const std::string& id, uint64_t size_bytes) const {
    const std::string path = store_.sealed(id);
    ExpectHugePages(path, size_bytes);
    const Mapping mapping = MapFile(path, PROT_READ);
    ASSERT_EQ(mapping.size_bytes(), size_bytes);
    ExpectSamePages(path, {mapping.data(), size_bytes});
    EXPECT_TRUE(HasContent(mapping, id, size_bytes));
    // And so has a native client.
    auto object = store_.Connect().Get(*ObjectId::FromText(id));
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_EQ(PageFrames(object->bytes()),
              PageFrames({mapping.data(), size_bytes}));
  }

  StoreProcess store_{{.capacity = "1152M", .passthrough = "on"}};
};

TEST_F(SharedPagesTest, OfAFilePutByCpAndMv) {
  const ScratchDir scratch;  // On tmpfs: disks are slow.
  const std::string source = scratch.path() + "/source";
  ASSERT_EQ(WriteContent(source, "large", kLargeBytes), 0);
  std::string output;
  ASSERT_EQ(
      Shell("cp '" + source + "' '" + store_.unsealed("large") + "' && mv '" +
                store_.unsealed("large") + "' '" + store_.mount() + "/sealed/'",
            &output),
      0)
      << output;
  ASSERT_EQ(Unlink(source), 0);
  ExpectShared("large", kLargeBytes);
}

TEST_F(SharedPagesTest, OfAFileWrittenByMmapAfterFtruncate) {
  ASSERT_EQ(MapContent(store_.unsealed("mapped"), "mapped", kBytes), 0);
  ASSERT_EQ(Rename(store_.unsealed("mapped"), store_.sealed("mapped")), 0);
  ExpectShared("mapped", kBytes);
}

TEST_F(SharedPagesTest, OfANativeObject) {
  Client client = store_.Connect();
  auto writer = client.Create(*ObjectId::FromText("native"), kBytes);
  ASSERT_TRUE(writer) << writer.error().ToString();
  FillContent("native", writer->bytes());
  Status sealed = writer->Seal();
  ASSERT_TRUE(sealed) << sealed.error().ToString();
  ExpectShared("native", kBytes);
}

}  // namespace
}  // namespace vitrine
