// Bytes that tests put and expect.
#ifndef VITRINE_TESTS_STORE_TIERS_BYTES_H_
#define VITRINE_TESTS_STORE_TIERS_BYTES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/tiers/external_store.h"

namespace vitrine::store {

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The same for the same seed.
inline std::string RandomBytes(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
    const uint64_t next = random();
    std::memcpy(&bytes[at], &next, std::min(sizeof(next), size - at));
  }
  return bytes;
}

inline Status PutText(ExternalStoreHandle* handle, std::string_view name,
                      std::string_view text) {
  const ExternalStoreHandle::Part part = AsBytes(text);
  return handle->Put(name, std::span(&part, 1));
}

// `size` bytes from `offset` on, or the error in words.
inline std::string GetText(ExternalStoreHandle* handle, std::string_view name,
                           size_t size, uint64_t offset = 0) {
  std::string text(size, '?');
  const Status got =
      handle->Get(name, offset, std::as_writable_bytes(std::span(text)));
  return got ? text : got.error().ToString();
}

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_TIERS_BYTES_H_
