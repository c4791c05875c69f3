// Writers who take every page that becomes free, while the store copies an
// object at its seal and the object's own pages are free for a moment.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"
#include "tests/support/eventually.h"
#include "tests/system/child_process.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uid_t kUser = 54321;
constexpr size_t kBytes = 80 << 20;
constexpr size_t kThieves = 3;

class StolenMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNotRoot());
    VITRINE_REQUIRE(WhyNoPassthrough());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  std::string Thief(size_t i) const {
    return store_.unsealed("thief-" + std::to_string(i));
  }
  // Says so once when there was nothing left, and goes on until it is killed.
  std::unique_ptr<ChildProcess> Steal(size_t i) {
    return std::make_unique<ChildProcess>(
        [path = Thief(i)](const auto& parent) {
          if (!Become(kUser)) return false;
          const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT, 0644));
          const std::vector<std::byte> bytes(1 << 20, std::byte{1});
          off_t end = 0;
          for (bool full = false; file.valid();) {
            const ssize_t wrote =
                ::pwrite(file.get(), bytes.data(), bytes.size(), end);
            if (wrote > 0) end += wrote;
            if (wrote > 0 || full) continue;
            full = true;
            parent.Say();
          }
          return false;
        });
  }
  // 0 or errno.
  int Seal() const {
    const int done =
        ::rename(store_.unsealed("a").c_str(), store_.sealed("a").c_str());
    return done == 0 ? 0 : errno;
  }

  StoreProcess store_{{.capacity = "160M"}};
};

TEST_F(StolenMemoryTest, ASealEndsAndNoByteIsLost) {
  ASSERT_EQ(WriteContent(store_.unsealed("a"), "a", kBytes), 0);
  ASSERT_EQ(::chown(store_.unsealed("a").c_str(), kUser, kUser), 0);
  {
    // Its pages were a user's.
    ChildProcess writer([this](const auto&) {
      return Become(kUser) &&
             UniqueFd(::open(store_.unsealed("a").c_str(), O_RDWR)).valid();
    });
    ASSERT_TRUE(writer.Succeeded());
  }
  std::vector<std::unique_ptr<ChildProcess>> thieves;
  for (size_t i = 0; i < kThieves; ++i) thieves.push_back(Steal(i));
  for (auto& thief : thieves) ASSERT_TRUE(thief->AwaitWord());
  const int error = Seal();
  // Nobody keeps the directories locked.
  struct stat info;
  EXPECT_EQ(::stat(store_.unsealed("no-such").c_str(), &info), -1);
  EXPECT_EQ(errno, ENOENT);
  RecordProperty("error", error);
  if (error == 0) {
    // The thieves did not get a page; they may have had it evicted by now.
    auto object = store_.Connect().Get(*ObjectId::FromText("a"), kPoll);
    if (object) {
      EXPECT_EQ(CheckContent("a", object->bytes()), kBytes);
    }
    return;
  }
  EXPECT_EQ(error, ENOSPC);
  thieves.clear();
  for (size_t i = 0; i < kThieves; ++i) ::unlink(Thief(i).c_str());
  EXPECT_TRUE(Eventually([this] { return Seal() == 0; }));
  auto object = store_.Connect().Get(*ObjectId::FromText("a"));
  ASSERT_TRUE(object) << object.error().ToString();
  EXPECT_EQ(CheckContent("a", object->bytes()), kBytes);
}

}  // namespace
}  // namespace vitrine
