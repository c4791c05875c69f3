#include "schema/base/write_all.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(WriteAllTest, WritesAtAnOffset) {
  const UniqueFd file(::memfd_create("file", MFD_CLOEXEC));
  ASSERT_TRUE(WriteAllAt(file.get(), 3, BytesOf("text")));
  char read[8] = {};
  EXPECT_EQ(::pread(file.get(), read, sizeof(read), 0), 7);
  EXPECT_EQ(std::string(read + 3, 4), "text");
}

TEST(WriteAllTest, NothingIsWrittenToNothing) {
  EXPECT_TRUE(WriteAllAt(-1, 0, {}));
  EXPECT_TRUE(WriteAll(-1, {}));
}

TEST(WriteAllTest, WritesMoreThanAPipeHolds) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const std::string text(1 << 20, 'x');
  Status written;
  std::thread writer([&] {
    written = WriteAll(out.get(), BytesOf(text));
    out = UniqueFd();
  });
  size_t total = 0;
  char buffer[4096];
  for (ssize_t count = 1; count > 0;) {
    count = ::read(in.get(), buffer, sizeof(buffer));
    total += static_cast<size_t>(std::max<ssize_t>(count, 0));
  }
  writer.join();
  EXPECT_TRUE(written);
  EXPECT_EQ(total, text.size());
}

TEST(WriteAllTest, SaysWhatTheSystemSays) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Status written = WriteAll(full.get(), BytesOf("x"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "write: No space left on device");
  EXPECT_FALSE(WriteAllAt(-1, 0, BytesOf("x")));
}

TEST(WriteAllTest, AFileThatTakesNoWritesIsUnsupported) {
  const UniqueFd event(::open("/proc/self/timerslack_ns", O_WRONLY));
  const Status written = WriteAll(event.get(), BytesOf("no number"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace vitrine
