#include "tests/system/content.h"

#include <cstring>
#include <functional>

namespace vitrine {
namespace {

// The eight bytes at 8 * `index`: splitmix64 (Steele et al., 2014).
uint64_t Word(uint64_t seed, uint64_t index) {
  uint64_t word = seed + (index + 1) * 0x9e3779b97f4a7c15;
  word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
  word = (word ^ word >> 27) * 0x94d049bb133111eb;
  return word ^ word >> 31;
}

uint64_t Seed(const std::string& id) {
  uint64_t seed = 14695981039346656037u;  // FNV-1a: the same in any process.
  for (char c : id) seed = (seed ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return seed;
}

}  // namespace

void FillContent(const std::string& id, std::span<std::byte> bytes) {
  const uint64_t seed = Seed(id);
  for (size_t at = 0; at < bytes.size(); at += 8) {
    const uint64_t word = Word(seed, at / 8);
    std::memcpy(bytes.data() + at, &word,
                std::min<size_t>(8, bytes.size() - at));
  }
}

size_t CheckContent(const std::string& id, std::span<const std::byte> bytes) {
  const uint64_t seed = Seed(id);
  for (size_t at = 0; at < bytes.size(); at += 8) {
    const uint64_t word = Word(seed, at / 8);
    const size_t size = std::min<size_t>(8, bytes.size() - at);
    if (std::memcmp(bytes.data() + at, &word, size) != 0) return at;
  }
  return bytes.size();
}

}  // namespace vitrine
