// Sums and differences that end at the bounds of 64 bits.
#ifndef VITRINE_SCHEMA_BASE_SATURATING_H_
#define VITRINE_SCHEMA_BASE_SATURATING_H_

#include <cstdint>

namespace vitrine {

constexpr uint64_t SaturatingAdd(uint64_t a, uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

constexpr uint64_t SaturatingSubtract(uint64_t a, uint64_t b) {
  return a > b ? a - b : 0;
}

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_SATURATING_H_
