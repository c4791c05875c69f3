// `--huge-pages auto` on the store's own tmpfs: whatever is large has huge
// pages, however it came in, and whatever is small takes small ones.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/page_frames.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kHugePage = 2 * kMiB;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

class HugeTmpfsTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoPassthrough());
    const Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    if (!store_.GetStatus()["memory"]["huge_pages"].get<bool>()) {
      GTEST_SKIP() << "this kernel gives tmpfs no huge pages";
    }
  }

  void Make(Client* client, const std::string& id, uint64_t size_bytes) {
    auto writer = client->Create(Id(id), size_bytes, {.announce = true});
    ASSERT_TRUE(writer) << writer.error().ToString();
    FillContent(id, writer->bytes());
    const Status sealed = writer->Seal();
    ASSERT_TRUE(sealed) << sealed.error().ToString();
  }

  // By cp, which writes in small pieces and says no size before.
  void CopyIn(const std::string& id, uint64_t size_bytes) {
    const ScratchDir scratch;
    const std::string source = scratch.path() + "/" + id;
    ASSERT_EQ(WriteContent(source, id, size_bytes), 0);
    std::string said;
    ASSERT_EQ(
        Shell("cp '" + source + "' '" + store_.unsealed(id) + "' && mv '" +
                  store_.unsealed(id) + "' '" + store_.sealed(id) + "'",
              &said),
        0)
        << said;
  }

  uint64_t HugeBytesOf(const std::string& id) const {
    const auto object = store_.Connect().Get(Id(id));
    if (!object) return 0;
    (void)PageFrames(object->bytes());
    return HugeMappedBytes(object->bytes().data());
  }

  // All that can be huge is, at the latest soon after the seal.
  void ExpectHuge(const std::string& id, uint64_t size_bytes) const {
    SCOPED_TRACE(id);
    const uint64_t wanted = size_bytes / kHugePage * kHugePage;
    EXPECT_TRUE(Eventually([&] { return HugeBytesOf(id) == wanted; }))
        << HugeBytesOf(id) << " of " << size_bytes;
    // Not through the mount: what was open there is not recycled.
    const auto object = store_.Connect().Get(Id(id));
    ASSERT_TRUE(object);
    EXPECT_EQ(object->size_bytes(), size_bytes);
    EXPECT_EQ(CheckContent(id, object->bytes()), size_bytes);
  }

  uint64_t UsedBytes() const {
    return store_.GetStatus()["used_bytes"].get<uint64_t>();
  }

  uint64_t Pooled(const char* what) const {
    return store_.GetStatus()["pool"][what].get<uint64_t>();
  }

  void DeleteIntoPool(Client* client, const std::string& id) const {
    ASSERT_TRUE(client->Delete(Id(id)));
    ASSERT_TRUE(Eventually([this] { return Pooled("segments") == 1; }));
  }

  StoreProcess store_{{.capacity = "256M", .passthrough = "on"}};
};

TEST_F(HugeTmpfsTest, NativeObjectsHaveThem) {
  Client client = store_.Connect();
  for (const uint64_t size : {kHugePage, 3 * kMiB, 8 * kMiB + 1}) {
    const std::string id = "native-" + std::to_string(size);
    ASSERT_NO_FATAL_FAILURE(Make(&client, id, size));
    ExpectHuge(id, size);
  }
}

TEST_F(HugeTmpfsTest, CopiedFilesHaveThem) {
  for (const uint64_t size : {kHugePage, 3 * kMiB, 8 * kMiB + 1}) {
    const std::string id = "copied-" + std::to_string(size);
    ASSERT_NO_FATAL_FAILURE(CopyIn(id, size));
    ExpectHuge(id, size);
    EXPECT_TRUE(FileHasContent(store_.sealed(id), id, size));
  }
}

// cp writes in units of st_blksize, at least.
TEST_F(HugeTmpfsTest, FilesAreBestWrittenByHugePages) {
  ASSERT_NO_FATAL_FAILURE(CopyIn("sealed", 4096));
  const std::string path = store_.unsealed("a");
  ASSERT_EQ(WriteContent(path, "a", 4096), 0);
  struct stat unsealed;
  ASSERT_EQ(::stat(path.c_str(), &unsealed), 0);
  EXPECT_EQ(static_cast<uint64_t>(unsealed.st_blksize), kHugePage);
  struct stat sealed;
  ASSERT_EQ(::stat(store_.sealed("sealed").c_str(), &sealed), 0);
  EXPECT_EQ(sealed.st_blksize, 4096);
}

TEST_F(HugeTmpfsTest, RecycledSegmentsThatChangeTheirSizeHaveThem) {
  Client client = store_.Connect();
  uint64_t reused = 0;
  for (const uint64_t size : {3 * kMiB, 5 * kMiB, 9 * kMiB, 7 * kMiB, 8 * kMiB,
                              3 * kMiB - 1, 4 * kMiB}) {
    const std::string id = "recycled-" + std::to_string(size);
    ASSERT_NO_FATAL_FAILURE(Make(&client, id, size));
    EXPECT_EQ(Pooled("reused"), reused++);
    ExpectHuge(id, size);
    ASSERT_NO_FATAL_FAILURE(DeleteIntoPool(&client, id));
  }
}

TEST_F(HugeTmpfsTest, SmallObjectsTakeSmallPages) {
  constexpr uint64_t kBytes = 4096;
  Client client = store_.Connect();
  ASSERT_NO_FATAL_FAILURE(Make(&client, "native", kBytes));
  ASSERT_NO_FATAL_FAILURE(CopyIn("copied", kBytes));
  for (const char* id : {"native", "copied"}) {
    struct stat info;
    const std::string path = store_.mount() + "/direct/" + id;
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(static_cast<uint64_t>(info.st_blocks) * 512, kBytes) << id;
  }
  EXPECT_TRUE(Eventually([this] { return UsedBytes() == 2 * kBytes; }))
      << UsedBytes();
}

}  // namespace
}  // namespace vitrine
