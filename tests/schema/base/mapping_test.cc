#include "schema/base/mapping.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

UniqueFd MakeFile(size_t size_bytes) {
  UniqueFd fd(::memfd_create("mapping-test", MFD_CLOEXEC));
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size_bytes)), 0);
  return fd;
}

// Of such files.
size_t CountMappings() {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("mapping-test") != std::string::npos) ++count;
  }
  return count;
}

Mapping Map(size_t size_bytes) {
  const UniqueFd fd = MakeFile(size_bytes);
  auto mapping = Mapping::Map(fd.get(), size_bytes, PROT_READ | PROT_WRITE);
  EXPECT_TRUE(mapping) << mapping.error().ToString();
  return *std::move(mapping);
}

TEST(MappingTest, NothingIsAnEmptyOne) {
  const Mapping mapping = *Mapping::Map(-1, 0, PROT_READ);
  EXPECT_EQ(mapping.data(), nullptr);
}

TEST(MappingTest, LargeOnesLieAtMultiplesOfAHugePage) {
  std::vector<Mapping> mappings;
  for (const size_t size :
       {2 * kMiB, 2 * kMiB + 1, 5 * kMiB + 4096, 7 * kMiB - 1, 64 * kMiB}) {
    mappings.push_back(Map(4096));  // So that the next free place is odd.
    mappings.push_back(Map(size));
    const auto address = reinterpret_cast<uintptr_t>(mappings.back().data());
    EXPECT_EQ(address % (2 * kMiB), 0u) << size;
    mappings.back().data()[size - 1] = std::byte{1};
  }
}

TEST(MappingTest, SmallerOnesLieBelowOnePageTable) {
  for (const size_t size : {300'000ul, kMiB, 2 * kMiB - 4096}) {
    const Mapping mapping = Map(size);
    const auto first = reinterpret_cast<uintptr_t>(mapping.data());
    EXPECT_EQ(first / (2 * kMiB), (first + size - 1) / (2 * kMiB)) << size;
  }
}

// Each lies where the next one would have to lie, too.
TEST(MappingTest, SmallerOnesFindAPlaceWhereAddressesAreTaken) {
  std::vector<Mapping> mappings;
  for (size_t i = 0; i < 64; ++i) {
    mappings.push_back(Map(kMiB + kMiB / 2));
    const auto first = reinterpret_cast<uintptr_t>(mappings.back().data());
    EXPECT_EQ(first / (2 * kMiB), (first + kMiB) / (2 * kMiB)) << i;
    mappings.push_back(Map(4096 * (i % 5 + 1)));
  }
}

TEST(MappingTest, NothingIsLeftOfThem) {
  {
    const Mapping mapping = Map(4096);
    EXPECT_EQ(CountMappings(), 1u);
  }
  for (const size_t size : {4096ul, kMiB, 5 * kMiB + 1, 64 * kMiB}) Map(size);
  EXPECT_EQ(CountMappings(), 0u);
}

TEST(MappingTest, WhatCannotBeMappedIsAnError) {
  EXPECT_FALSE(Mapping::Map(-1, 4 * kMiB, PROT_READ));
  const UniqueFd directory(::open("/", O_PATH | O_CLOEXEC));
  EXPECT_FALSE(Mapping::Map(directory.get(), 4 * kMiB, PROT_READ));
}

}  // namespace
}  // namespace vitrine
