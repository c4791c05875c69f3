#include "client/base/large_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace vitrine {
namespace {

std::vector<std::byte> RandomBytes(size_t size_bytes) {
  std::mt19937_64 random(42);
  std::vector<std::byte> bytes(size_bytes);
  std::generate(bytes.begin(), bytes.end(),
                [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

TEST(LargeCopyTest, NothingIsCopied) {
  CopyLarge({}, {}, 0);
  CopyLarge({}, {}, 4);
}

TEST(LargeCopyTest, EveryByteArrivesAndNoOtherChangesAtAnyAlignment) {
  const std::vector<std::byte> source = RandomBytes(1000);
  for (size_t begin = 0; begin < 64; ++begin) {
    for (const size_t size_bytes :
         {1UL, 15UL, 63UL, 64UL, 65UL, 200UL, 700UL}) {
      std::vector<std::byte> target(1000, std::byte{7});
      CopyLarge(std::span(target).subspan(begin, size_bytes),
                std::span(source).subspan(begin / 2, size_bytes), 1);
      std::vector<std::byte> wanted(1000, std::byte{7});
      std::copy_n(source.begin() + static_cast<ptrdiff_t>(begin / 2),
                  size_bytes, wanted.begin() + static_cast<ptrdiff_t>(begin));
      ASSERT_EQ(target, wanted) << begin << " " << size_bytes;
    }
  }
}

TEST(LargeCopyTest, SeveralThreadsCopyAllOfIt) {
  const std::vector<std::byte> source = RandomBytes((size_t{100} << 20) + 33);
  for (const unsigned threads : {0U, 2U, 3U, 1000U}) {
    std::vector<std::byte> target(source.size());
    CopyLarge(target, source, threads);
    EXPECT_TRUE(target == source) << threads << " threads";
  }
}

}  // namespace
}  // namespace vitrine
