// Without privileges: a store that an ordinary user runs, with a mount and
// without; and ordinary users of a store that root runs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/huge_mapped.h"
#include "tests/system/child_process.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/page_frames.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uid_t kUser = 65534;  // `nobody`: fusermount3 wants a name.
constexpr uid_t kOther = 54322;
constexpr uint64_t kBytes = 3 << 20;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

std::string WhyNoUserMount() {
  if (const std::string why = WhyNoUser(kUser); !why.empty()) return why;
  if (Shell("command -v fusermount3") != 0) return "there is no fusermount3";
  // As udev makes it where there is udev.
  struct stat info;
  if (::stat("/dev/fuse", &info) != 0) return "there is no /dev/fuse";
  if ((info.st_mode & 0666) != 0666 && ::chmod("/dev/fuse", 0666) != 0) {
    return "/dev/fuse is closed to ordinary users";
  }
  return WhyNoMount();
}

class UserStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoUserMount());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  void TearDown() override {
    if (store_.pid() <= 0) return;
    EXPECT_EQ(store_.Stop(), 0);
  }

  std::string Direct(const std::string& id) const {
    return store_.mount() + "/direct/" + id;
  }

  StoreProcess store_{{.capacity = "64M", .uid = kUser}};
};

TEST_F(UserStoreTest, SaysWhatItGotAndWhy) {
  EXPECT_NE(store_.ready_line().find("page cache"), std::string::npos)
      << store_.ready_line();
  EXPECT_NE(store_.ready_line().find("/dev/shm"), std::string::npos)
      << store_.ready_line();
  int exited = -1;
  const std::string said = store_.Run({"doctor"}, &exited);
  EXPECT_NE(said.find("assthrough"), std::string::npos) << said;
  EXPECT_NE(said.find("nobody, can change sealed objects"), std::string::npos)
      << said;
}

TEST_F(UserStoreTest, ASteadyProducerGetsHugePages) {
  if (!store_.GetStatus()["memory"]["collapses"].get<bool>()) {
    GTEST_SKIP() << "this kernel collapses no pages of files";
  }
  constexpr uint64_t kLarge = 4 << 20;
  Client client = store_.Connect();
  std::vector<std::byte> bytes(kLarge);
  EXPECT_TRUE(Eventually([&] {
    FillContent("large", bytes);
    const Status put = client.Put(Id("large"), bytes);
    EXPECT_TRUE(put) << put.error().ToString();
    auto object = client.Get(Id("large"));
    if (!object) return false;
    EXPECT_EQ(CheckContent("large", object->bytes()), kLarge);
    const uint64_t huge = HugeMappedBytes(object->bytes().data());
    EXPECT_TRUE(client.Delete(Id("large")));
    return huge == kLarge;
  }));
  EXPECT_GE(store_.GetStatus()["memory"]["collapsed_bytes"], kLarge);
}

TEST_F(UserStoreTest, PassthroughOnIsRefusedWithAReason) {
  StoreProcess store({.capacity = "64M", .passthrough = "on", .uid = kUser});
  Status started = store.Start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("passthrough"), std::string::npos)
      << started.error().message;
}

TEST_F(UserStoreTest, WritesSealsReadsAndDeletes) {
  EXPECT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(WriteContent(store_.unsealed("a"), "a", kBytes) == 0);
    CHILD_EXPECT(MapContent(store_.unsealed("b"), "b", kBytes) == 0);
    for (const std::string id : {"a", "b"}) {
      CHILD_EXPECT(FileHasContent(store_.unsealed(id), id, kBytes));
      CHILD_EXPECT(Rename(store_.unsealed(id), store_.sealed(id)) == 0);
      CHILD_EXPECT(!Exists(store_.unsealed(id)));
      CHILD_EXPECT(FileHasContent(store_.sealed(id), id, kBytes));
      CHILD_EXPECT(
          HasContent(MapFile(store_.sealed(id), PROT_READ), id, kBytes));
      CHILD_EXPECT(FileHasContent(Direct(id), id, kBytes));
    }
    CHILD_EXPECT(Unlink(store_.sealed("a")) == 0);
    CHILD_EXPECT(TryOpen(store_.sealed("a"), O_RDONLY) == ENOENT);
    return true;
  }));
  Client client = store_.Connect();
  EXPECT_FALSE(*client.Contains(Id("a")));
  auto object = client.Get(Id("b"));
  ASSERT_TRUE(object) << object.error().ToString();
  EXPECT_EQ(CheckContent("b", object->bytes()), kBytes);
}

TEST_F(UserStoreTest, SealedIsSealed) {
  EXPECT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(WriteContent(store_.unsealed("a"), "a", kBytes) == 0);
    {
      const Mapping writable =
          MapFile(store_.unsealed("a"), PROT_READ | PROT_WRITE);
      CHILD_EXPECT(writable.size_bytes() == kBytes);
      CHILD_EXPECT(Rename(store_.unsealed("a"), store_.sealed("a")) == EBUSY);
    }
    CHILD_EXPECT(Rename(store_.unsealed("a"), store_.sealed("a")) == 0);
    const std::string path = store_.sealed("a");
    CHILD_EXPECT(TryOpen(path, O_WRONLY) == EPERM);
    CHILD_EXPECT(TryOpen(path, O_RDWR) == EPERM);
    CHILD_EXPECT(TryOpen(path, O_RDONLY | O_TRUNC) == EPERM);
    CHILD_EXPECT(TryOpen(store_.sealed("new"), O_CREAT | O_WRONLY) == EPERM);
    CHILD_EXPECT(::truncate(path.c_str(), 0) == -1 && errno == EPERM);
    CHILD_EXPECT(::chmod(path.c_str(), 0600) == -1 && errno == EPERM);
    CHILD_EXPECT(Rename(path, store_.sealed("b")) == EPERM);
    CHILD_EXPECT(::setxattr(path.c_str(), "user.a", "1", 1, 0) == -1 &&
                 errno == EPERM);
    CHILD_EXPECT(TryOpen(store_.unsealed("a"), O_CREAT | O_WRONLY) == EEXIST);
    CHILD_EXPECT(FileHasContent(path, "a", kBytes));
    return true;
  }));
}

TEST_F(UserStoreTest, AttributesWaitAndStatusAreThere) {
  EXPECT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(WriteContent(store_.unsealed("a"), "a", 1000) == 0);
    CHILD_EXPECT(::setxattr(store_.unsealed("a").c_str(), "user.kind", "test",
                            4, 0) == 0);
    CHILD_EXPECT(Rename(store_.unsealed("a"), store_.sealed("a")) == 0);
    char value[16] = {};
    CHILD_EXPECT(::getxattr(store_.sealed("a").c_str(), "user.kind", value,
                            sizeof(value)) == 4);
    CHILD_EXPECT(std::string(value) == "test");
    CHILD_EXPECT(FileHasContent(store_.mount() + "/wait/a", "a", 1000));
    CHILD_EXPECT(Exists(store_.mount() + "/.vitrine/status"));
    struct statvfs info;
    CHILD_EXPECT(::statvfs(store_.mount().c_str(), &info) == 0);
    CHILD_EXPECT(info.f_blocks * info.f_frsize == 64u << 20);
    CHILD_EXPECT(::mkdir((store_.mount() + "/unsealed/dir").c_str(), 0755) ==
                     -1 &&
                 errno == EPERM);
    return true;
  }));
}

// The link leads to the memory itself: a native client has the same pages.
TEST_F(UserStoreTest, DirectLinksAreZeroCopy) {
  ASSERT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(MapContent(store_.unsealed("a"), "a", kBytes) == 0);
    CHILD_EXPECT(Rename(store_.unsealed("a"), store_.sealed("a")) == 0);
    char target[PATH_MAX] = {};
    CHILD_EXPECT(::readlink(Direct("a").c_str(), target, sizeof(target) - 1) >
                 0);
    return ::symlink(target, (store_.dir() + "/target").c_str()) == 0;
  }));
  const Mapping mapping = MapFile(store_.dir() + "/target", PROT_READ);
  ASSERT_GE(mapping.size_bytes(), kBytes);
  auto object = store_.Connect().Get(Id("a"));
  ASSERT_TRUE(object) << object.error().ToString();
  const auto theirs = PageFrames(object->bytes());
  ASSERT_NE(theirs.at(0), 0u);
  EXPECT_EQ(PageFrames({mapping.data(), object->size_bytes()}), theirs);
}

TEST_F(UserStoreTest, FullIsNoSpaceAndNotSigbus) {
  EXPECT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(WriteContent(store_.unsealed("a"), "a", 80 << 20) == ENOSPC);
    CHILD_EXPECT(Unlink(store_.unsealed("a")) == 0);
    CHILD_EXPECT(MapContent(store_.unsealed("b"), "b", 65 << 20) != 0);
    CHILD_EXPECT(Unlink(store_.unsealed("b")) == 0);
    for (int i = 0; i < 30; ++i) {
      const std::string id = "evicted-" + std::to_string(i);
      CHILD_EXPECT(WriteContent(store_.unsealed(id), id, 10 << 20) == 0);
      CHILD_EXPECT(Rename(store_.unsealed(id), store_.sealed(id)) == 0);
    }
    CHILD_EXPECT(!Exists(store_.sealed("evicted-0")));
    CHILD_EXPECT(
        FileHasContent(store_.sealed("evicted-29"), "evicted-29", 10 << 20));
    return true;
  }));
}

TEST_F(UserStoreTest, NothingIsLeftBehind) {
  const std::string memory = store_.GetStatus()["memory"]["directory"];
  EXPECT_TRUE(std::filesystem::exists(memory));
  ASSERT_EQ(store_.Stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(memory));
  EXPECT_NE(Shell("mountpoint -q '" + store_.mount() + "'"), 0);
}

// --- no mount at all ---

class NoMountTest : public testing::TestWithParam<uid_t> {
 protected:
  void SetUp() override {
    if (GetParam() != 0) VITRINE_REQUIRE(WhyNoUser(kUser));
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }
  StoreProcess store_{{.capacity = "64M", .mount = false, .uid = GetParam()}};
};

TEST_P(NoMountTest, NativeClientsWorkInFull) {
  Client client = store_.Connect();
  std::vector<std::byte> bytes(kBytes);
  for (int i = 0; i < 60; ++i) {
    const std::string id = "object-" + std::to_string(i);
    FillContent(id, bytes);
    Status put = client.Put(Id(id), bytes, {.metadata = {{"name", id}}});
    ASSERT_TRUE(put) << put.error().ToString();
  }
  EXPECT_FALSE(*client.Contains(Id("object-0")));
  auto object = client.Get(Id("object-59"));
  ASSERT_TRUE(object) << object.error().ToString();
  EXPECT_EQ(CheckContent("object-59", object->bytes()), kBytes);
  EXPECT_EQ(object->GetMetadata()->at("name"), "object-59");
  EXPECT_TRUE(client.Delete(Id("object-59")));
}

TEST_P(NoMountTest, TheCommandWorks) {
  int exited = -1;
  const std::string source = store_.dir() + "/source";
  ASSERT_EQ(WriteContent(source, "source", kBytes), 0);
  store_.Run({"put", "--id", "a", source}, &exited);
  EXPECT_EQ(exited, 0);
  EXPECT_EQ(store_.Run({"ls"}), "a\n");
  const std::string copy = store_.dir() + "/copy";
  store_.Run({"get", "a", "-o", copy}, &exited);
  EXPECT_EQ(exited, 0);
  EXPECT_TRUE(FileHasContent(copy, "source", kBytes));
  store_.Run({"rm", "a"}, &exited);
  EXPECT_EQ(exited, 0);
  EXPECT_EQ(store_.Stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(Users, NoMountTest, testing::Values(0, kUser),
                         [](const auto& tested) {
                           return tested.param == 0 ? "Root" : "User";
                         });

// --- users of root's store ---

class RootStoreTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNotRoot());
    const std::string passthrough = GetParam();
    VITRINE_REQUIRE(passthrough == "on" ? WhyNoPassthrough() : WhyNoMount());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    ASSERT_TRUE(Put("private", 0600));
    ASSERT_TRUE(Put("public", 0644));
  }

  bool Put(const std::string& id, mode_t mode) {
    return As(kUser, [&, this] {
      CHILD_EXPECT(WriteContent(store_.unsealed(id), id, kBytes) == 0);
      CHILD_EXPECT(::chmod(store_.unsealed(id).c_str(), mode) == 0);
      CHILD_EXPECT(Rename(store_.unsealed(id), store_.sealed(id)) == 0);
      return true;
    });
  }

  std::string Direct(const std::string& id) const {
    return store_.mount() + "/direct/" + id;
  }

  // Code of a native get of `id`; none: it has the right bytes.
  std::optional<Code> NativeGet(const std::string& id) const {
    auto client = Client::Connect({.socket_path = store_.socket()});
    if (!client) return client.error().code;
    auto object = client->Get(Id(id));
    if (!object) return object.error().code;
    if (CheckContent(id, object->bytes()) != kBytes) return Code::kCorruption;
    return std::nullopt;
  }

  StoreProcess store_{{.capacity = "64M", .passthrough = GetParam()}};
};

TEST_P(RootStoreTest, PrivateObjectsAreTheirOwnersOnly) {
  EXPECT_TRUE(As(kOther, [this] {
    CHILD_EXPECT(TryOpen(store_.sealed("private"), O_RDONLY) == EACCES);
    CHILD_EXPECT(TryOpen(Direct("private"), O_RDONLY) == EACCES);
    CHILD_EXPECT(NativeGet("private") == Code::kPermissionDenied);
    CHILD_EXPECT(!NativeGet("public"));
    CHILD_EXPECT(FileHasContent(store_.sealed("public"), "public", kBytes));
    CHILD_EXPECT(FileHasContent(Direct("public"), "public", kBytes));
    return true;
  }));
  EXPECT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(FileHasContent(store_.sealed("private"), "private", kBytes));
    CHILD_EXPECT(!NativeGet("private"));
    return true;
  }));
  EXPECT_FALSE(NativeGet("private"));  // Root.
}

TEST_P(RootStoreTest, OthersDeleteNothing) {
  EXPECT_TRUE(As(kOther, [this] {
    CHILD_EXPECT(Unlink(store_.sealed("public")) == EPERM);
    auto client = Client::Connect({.socket_path = store_.socket()});
    CHILD_EXPECT(client.has_value());
    Status deleted = client->Delete(Id("public"));
    CHILD_EXPECT(!deleted && deleted.error().code == Code::kNotPermitted);
    Status held = client->Hold(Id("public"));
    CHILD_EXPECT(!held && held.error().code == Code::kNotPermitted);
    return true;
  }));
  EXPECT_FALSE(NativeGet("public"));
}

// A user who knows the memory's path is still bound by the permissions.
TEST_P(RootStoreTest, TheMemoryItselfIsClosedToOthers) {
  const std::string memory = store_.GetStatus()["memory"]["directory"];
  std::vector<std::string> segments;
  for (const auto& entry :
       std::filesystem::directory_iterator(memory + "/segments")) {
    segments.push_back(entry.path());
  }
  ASSERT_EQ(segments.size(), 2u);
  EXPECT_TRUE(As(kOther, [&] {
    int readable = 0;
    for (const std::string& path : segments) {
      CHILD_EXPECT(TryOpen(path, O_RDWR) != 0);
      CHILD_EXPECT(::unlink(path.c_str()) == -1);
      readable += TryOpen(path, O_RDONLY) == 0 ? 1 : 0;
    }
    CHILD_EXPECT(readable <= 1);
    CHILD_EXPECT(TryOpen(memory + "/journal", O_RDONLY) != 0);
    CHILD_EXPECT(TryOpen(memory + "/index", O_RDWR) != 0);
    return true;
  }));
  // Not even their owner may change them.
  EXPECT_TRUE(As(kUser, [&] {
    for (const std::string& path : segments) {
      CHILD_EXPECT(TryOpen(path, O_RDWR) != 0);
      CHILD_EXPECT(::chmod(path.c_str(), 0666) == -1);
    }
    return true;
  }));
}

INSTANTIATE_TEST_SUITE_P(Passthrough, RootStoreTest,
                         testing::Values("on", "off"), [](const auto& tested) {
                           return std::string(tested.param);
                         });

}  // namespace
}  // namespace vitrine
