#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include "client/tools/input.h"

namespace vitrine::tools {
namespace {

const OnRead kNobodyListens = [](uint64_t) {};

class InputTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(dir_.data()), nullptr); }
  void TearDown() override {
    ::unlink(path().c_str());
    ::rmdir(dir_.c_str());
  }

  std::string path() const { return dir_ + "/file"; }
  void Write(const std::string& text) const {
    std::ofstream(path(), std::ios::binary) << text;
  }

  std::string dir_ = "/tmp/vitrine-input-XXXXXX";
};

std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(InputTest, AFileThatIsNotThereIsAnError) {
  EXPECT_FALSE(Input::OpenFile(path()));
}

TEST_F(InputTest, ADirectoryIsRefused) {
  auto input = Input::OpenFile(dir_);
  ASSERT_FALSE(input);
  EXPECT_EQ(input.error().code, Code::kInvalidArgument);
}

TEST_F(InputTest, AFileThatShrankIsAnError) {
  Write("0123456789");
  auto input = Input::OpenFile(path());
  ASSERT_TRUE(input);
  ASSERT_EQ(::truncate(path().c_str(), 4), 0);
  std::vector<std::byte> target(*input->size_bytes());
  const Status status = input->ReadExactly(target, kNobodyListens);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kIoError);
}

TEST_F(InputTest, AFileThatGrewIsAnError) {
  Write("0123");
  auto input = Input::OpenFile(path());
  ASSERT_TRUE(input);
  Write("01234");
  std::vector<std::byte> target(*input->size_bytes());
  EXPECT_FALSE(input->ReadExactly(target, kNobodyListens));
}

TEST_F(InputTest, AFileSaysItsSizeAndModeAndIsReadWhole) {
  const std::string text(20 << 20, 'x');
  Write(text);
  ASSERT_EQ(::chmod(path().c_str(), 0640), 0);
  auto input = Input::OpenFile(path());
  ASSERT_TRUE(input);
  EXPECT_EQ(input->size_bytes(), text.size());
  EXPECT_EQ(input->mode(), 0640u);
  std::vector<std::byte> target(text.size());
  uint64_t last = 0;
  ASSERT_TRUE(input->ReadExactly(target, [&](uint64_t done) {
    EXPECT_GT(done, last);
    last = done;
  }));
  EXPECT_EQ(last, text.size());
  EXPECT_EQ(Text(target), text);
}

TEST_F(InputTest, AnEmptyFileIsReadToItsEnd) {
  Write("");
  auto input = Input::OpenFile(path());
  ASSERT_TRUE(input);
  EXPECT_FALSE(input->size_bytes());
  GrowingBuffer buffer;
  ASSERT_TRUE(buffer.Fill(*input, kNobodyListens));
  EXPECT_TRUE(buffer.bytes().empty());
}

TEST_F(InputTest, AFileOfProcThatSaysZeroIsReadWhole) {
  auto input = Input::OpenFile("/proc/self/status");
  ASSERT_TRUE(input);
  EXPECT_FALSE(input->size_bytes());
  GrowingBuffer buffer;
  ASSERT_TRUE(buffer.Fill(*input, kNobodyListens));
  EXPECT_NE(Text(buffer.bytes()).find("Name:"), std::string::npos);
}

TEST_F(InputTest, APipeOfAnySizeIsReadToItsEnd) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  std::string text;
  while (text.size() < 5 << 20) text += std::to_string(text.size()) + "\n";
  std::thread writer([&] { Write(text); });
  auto input = Input::OpenFile(path());
  GrowingBuffer buffer;
  const Status status =
      input ? buffer.Fill(*input, kNobodyListens) : Status(input.error());
  writer.join();
  ASSERT_TRUE(status);
  EXPECT_EQ(Text(buffer.bytes()), text);
  GrowingBuffer moved(std::move(buffer));
  EXPECT_EQ(moved.bytes().size(), text.size());
}

}  // namespace
}  // namespace vitrine::tools
