// Content of objects that follows from their id, so that any reader can check
// every byte.
#ifndef VITRINE_TESTS_SYSTEM_CONTENT_H_
#define VITRINE_TESTS_SYSTEM_CONTENT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace vitrine {

// Fills `bytes` with the content of `id`.
void FillContent(const std::string& id, std::span<std::byte> bytes);

// Offset of the first byte that is not `id`'s; bytes.size(): all are.
size_t CheckContent(const std::string& id, std::span<const std::byte> bytes);

}  // namespace vitrine

#endif  // VITRINE_TESTS_SYSTEM_CONTENT_H_
