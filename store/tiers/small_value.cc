#include "store/tiers/small_value.h"

#include <cstring>
#include <span>

#include "store/tiers/payload_hash.h"

namespace vitrine::store {
namespace {

constexpr size_t kMagicBytes = 8;
constexpr size_t kStartBytes = kMagicBytes + sizeof(PayloadHash);

std::string StartOf(std::string_view magic, std::string_view payload) {
  const PayloadHash hash = HashPayload(std::as_bytes(std::span(payload)));
  std::string start(magic);
  start.append(reinterpret_cast<const char*>(&hash), sizeof(hash));
  return start;
}

}  // namespace

std::string EncodeSmallValue(std::string_view magic, std::string_view payload) {
  return StartOf(magic, payload).append(payload);
}

Result<std::string_view> DecodeSmallValue(std::string_view magic,
                                          std::string_view value) {
  if (value.size() >= kStartBytes) {
    const std::string_view payload = value.substr(kStartBytes);
    if (value.starts_with(StartOf(magic, payload))) return payload;
  }
  return Error{Code::kCorruption, "it is not what was written"};
}

}  // namespace vitrine::store
