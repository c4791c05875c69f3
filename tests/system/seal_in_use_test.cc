// Sealing asks the kernel: nothing is sealed that somebody could still change.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "tests/support/eventually.h"
#include "tests/system/child_process.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uint64_t kBytes = 3 << 20;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

// Holds a writable mapping, and no descriptor, until it is told not to.
bool HoldWritable(const std::string& path, const std::string& id,
                  const ChildProcess::Parent& parent) {
  {
    const Mapping mapping = MapFile(path, PROT_READ | PROT_WRITE);
    if (mapping.size_bytes() != kBytes) return false;
    parent.Say();
    parent.Await();
    FillContent(id, {mapping.data(), kBytes});
  }
  parent.Say();
  parent.Await();
  return true;
}

class SealInUseTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string passthrough = GetParam();
    VITRINE_REQUIRE(passthrough == "on" ? WhyNoPassthrough() : WhyNoMount());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  void ExpectUnharmed(const std::string& id) {
    EXPECT_TRUE(FileHasContent(store_.sealed(id), id, kBytes));
    Client client = store_.Connect();
    auto object = client.Get(Id(id));
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_EQ(object->size_bytes(), kBytes);
    EXPECT_EQ(CheckContent(id, object->bytes()), kBytes);
  }

  // Where the memory of the only object there is lies.
  std::string OnlySegment() const {
    const std::string dir = store_.GetStatus()["memory"]["directory"];
    std::string path;
    for (const auto& entry :
         std::filesystem::directory_iterator(dir + "/segments")) {
      EXPECT_EQ(path, "") << "more than one segment";
      path = entry.path();
    }
    return path;
  }

  StoreProcess store_{{.capacity = "64M", .passthrough = GetParam()}};
};

TEST_P(SealInUseTest, RenameIsRefusedWhileAnotherProcessMapsItWritable) {
  ASSERT_EQ(WriteContent(store_.unsealed("a"), "before", kBytes), 0);
  ChildProcess child([this](const auto& parent) {
    return HoldWritable(store_.unsealed("a"), "a", parent);
  });
  ASSERT_TRUE(child.AwaitWord());
  EXPECT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), EBUSY);
  EXPECT_EQ(Rename(store_.unsealed("a"), store_.sealed("b")), EBUSY);
  EXPECT_TRUE(Exists(store_.unsealed("a")));
  EXPECT_FALSE(Exists(store_.sealed("a")));
  EXPECT_TRUE(FileHasContent(store_.unsealed("a"), "before", kBytes));
  child.Tell();
  ASSERT_TRUE(child.AwaitWord());
  EXPECT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), 0);
  ExpectUnharmed("a");
  child.Tell();
  EXPECT_TRUE(child.Succeeded());
}

TEST_P(SealInUseTest, TheDeathOfTheOneWhoMapsItLetsItBeSealed) {
  ASSERT_EQ(WriteContent(store_.unsealed("a"), "a", kBytes), 0);
  {
    ChildProcess child([this](const auto& parent) {
      return HoldWritable(store_.unsealed("a"), "a", parent);
    });
    ASSERT_TRUE(child.AwaitWord());
    EXPECT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), EBUSY);
  }
  // It had opened a file that it did not make; that another process was killed
  // does not take it away.
  EXPECT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), 0);
  ExpectUnharmed("a");
}

TEST_P(SealInUseTest, RenameIsRefusedWhileADescriptorCanWrite) {
  ASSERT_EQ(WriteContent(store_.unsealed("a"), "a", kBytes), 0);
  UniqueFd fd(::open(store_.unsealed("a").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(fd.valid());
  EXPECT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), EBUSY);
  fd = UniqueFd();
  EXPECT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), 0);
  ExpectUnharmed("a");
}

TEST_P(SealInUseTest, ReadersDoNotStandInTheWay) {
  ASSERT_EQ(WriteContent(store_.unsealed("a"), "a", kBytes), 0);
  const UniqueFd fd(::open(store_.unsealed("a").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(fd.valid());
  EXPECT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), 0);
  EXPECT_TRUE(DescriptorHasContent(fd.get(), "a", kBytes));
  ExpectUnharmed("a");
}

TEST_P(SealInUseTest, ANativeWriterKeepsWhatAForeignProcessMapsWritable) {
  Client client = store_.Connect();
  auto writer = client.Create(Id("a"), kBytes);
  ASSERT_TRUE(writer) << writer.error().ToString();
  FillContent("before", writer->bytes());
  const std::string segment = OnlySegment();
  ChildProcess child([&segment](const auto& parent) {
    return HoldWritable(segment, "a", parent);
  });
  ASSERT_TRUE(child.AwaitWord());
  Status refused = writer->Seal();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInUse);
  Status refused_by_name = store_.Connect().SealByName(Id("a"));
  ASSERT_FALSE(refused_by_name);
  EXPECT_EQ(refused_by_name.error().code, Code::kInUse);
  EXPECT_FALSE(*client.Contains(Id("a")));
  child.Tell();
  ASSERT_TRUE(child.AwaitWord());
  Status sealed = writer->Seal();
  EXPECT_TRUE(sealed) << sealed.error().ToString();
  ExpectUnharmed("a");
  child.Tell();
  EXPECT_TRUE(child.Succeeded());
}

TEST_P(SealInUseTest, NobodySealsWhatANativeWriterStillWrites) {
  Client client = store_.Connect();
  auto writer = client.Create(Id("a"), kBytes);
  ASSERT_TRUE(writer) << writer.error().ToString();
  Status refused = store_.Connect().SealByName(Id("a"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), EBUSY);
  FillContent("a", writer->bytes());
  Status sealed = writer->Seal();
  ASSERT_TRUE(sealed) << sealed.error().ToString();
  ExpectUnharmed("a");
}

TEST_P(SealInUseTest, NativeCallsDoNotSealWhatAFileDescriptorCanWrite) {
  ASSERT_EQ(WriteContent(store_.unsealed("a"), "a", kBytes), 0);
  UniqueFd fd(::open(store_.unsealed("a").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(fd.valid());
  Client client = store_.Connect();
  Status refused = client.SealByName(Id("a"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInUse);
  fd = UniqueFd();
  // The kernel tells the store of a close without waiting for it; a rename
  // comes after it in the same queue, a message on the socket need not.
  EXPECT_TRUE(
      Eventually([&] { return client.SealByName(Id("a")).has_value(); }));
  ExpectUnharmed("a");
}

INSTANTIATE_TEST_SUITE_P(Passthrough, SealInUseTest,
                         testing::Values("on", "off"), [](const auto& tested) {
                           return std::string(tested.param);
                         });

}  // namespace
}  // namespace vitrine
