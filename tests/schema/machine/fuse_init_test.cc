#include "schema/machine/fuse_init.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>

#include <cstring>
#include <vector>

namespace vitrine::machine {
namespace {

// A request whose body is these words.
std::vector<std::byte> Request(uint32_t opcode,
                               const std::vector<uint32_t>& words) {
  fuse_in_header header{};
  header.opcode = opcode;
  header.unique = 77;
  std::vector<std::byte> bytes(sizeof(header) + words.size() * 4);
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), words.data(), words.size() * 4);
  return bytes;
}

TEST(FuseInitTest, OtherRequestsAreNone) {
  EXPECT_FALSE(ParseFuseInit({}));
  const auto init = Request(FUSE_INIT, {7, 40});
  EXPECT_FALSE(ParseFuseInit(std::span(init).first(10)));
  EXPECT_FALSE(ParseFuseInit(Request(FUSE_LOOKUP, {7, 40, 0, ~0u, ~0u})));
}

TEST(FuseInitTest, AnOldKernelsShortRequestHasNothing) {
  const auto init = ParseFuseInit(Request(FUSE_INIT, {7, 31, 4096, ~0u}));
  ASSERT_TRUE(init);
  EXPECT_EQ(init->unique, 77u);
  EXPECT_TRUE(init->killpriv);
  EXPECT_FALSE(init->passthrough);
}

TEST(FuseInitTest, TheSecondFlagsCountOnlyIfTheFirstSayThatTheyAreThere) {
  const uint32_t second = kInitFlags2Passthrough;
  const auto without = ParseFuseInit(Request(FUSE_INIT, {7, 40, 0, 0, second}));
  EXPECT_FALSE(without->passthrough);
  const auto with =
      ParseFuseInit(Request(FUSE_INIT, {7, 40, 0, kInitExt, second, 0, 0}));
  EXPECT_TRUE(with->passthrough);
  EXPECT_FALSE(with->killpriv);
}

}  // namespace
}  // namespace vitrine::machine
