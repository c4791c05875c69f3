#include "store/journal/journal_frame.h"

#include <cstring>
#include <random>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitrine::store {
namespace {

constexpr std::string_view kMagic("VITJRNL\x03", 8);
constexpr size_t kHeadCopyBytes = kHeadBytes / 2;

uint64_t HashOf(std::string_view bytes, uint64_t key) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), key);
}

template <typename T>
T ReadFixed(std::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

template <typename T>
void AppendFixed(T value, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

uint32_t CheckOf(std::string_view bytes, uint64_t key) {
  return static_cast<uint32_t>(HashOf(bytes, key));
}

std::optional<uint64_t> ReadHeadCopy(std::string_view copy) {
  if (copy.size() < kHeadCopyBytes || !copy.starts_with(kMagic)) {
    return std::nullopt;
  }
  const auto key = ReadFixed<uint64_t>(copy, kMagic.size());
  const auto check = ReadFixed<uint64_t>(copy, kMagic.size() + sizeof(key));
  if (check != HashOf(kMagic, key)) return std::nullopt;
  return key;
}

// True if there is a frame whose length can be trusted.
bool IsFrame(std::string_view bytes, uint64_t key) {
  constexpr size_t kChecked = 2 * sizeof(uint32_t);
  return bytes.size() >= kFrameBytes &&
         ReadFixed<uint32_t>(bytes, kChecked) ==
             CheckOf(bytes.substr(0, kChecked), key);
}

// The number of bytes before the next frame, or up to the end.
size_t BytesToNextFrame(std::string_view bytes, uint64_t key) {
  size_t place = 1;
  while (place < bytes.size() && !IsFrame(bytes.substr(place), key)) ++place;
  return place;
}

}  // namespace

uint64_t DrawJournalKey() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

std::string EncodeHead(uint64_t key) {
  std::string copy(kMagic);
  AppendFixed(key, &copy);
  AppendFixed(HashOf(kMagic, key), &copy);
  return copy + copy;
}

std::optional<uint64_t> ReadHead(std::string_view journal) {
  if (journal.size() < kHeadBytes) return std::nullopt;
  const auto key = ReadHeadCopy(journal);
  return key ? key : ReadHeadCopy(journal.substr(kHeadCopyBytes));
}

void AppendFramed(std::string_view payload, uint64_t key,
                  std::string* records) {
  std::string frame;
  AppendFixed(static_cast<uint32_t>(payload.size()), &frame);
  AppendFixed(CheckOf(payload, key), &frame);
  AppendFixed(CheckOf(frame, key), &frame);
  *records += frame;
  *records += payload;
}

FramedBytes ReadFramed(std::string_view bytes, uint64_t key) {
  using State = FramedBytes::State;
  if (bytes.size() < kFrameBytes) return {State::kTorn, {}, bytes.size()};
  if (!IsFrame(bytes, key)) {
    return {State::kDamaged, {}, BytesToNextFrame(bytes, key)};
  }
  const size_t length = ReadFixed<uint32_t>(bytes, 0);
  if (bytes.size() - kFrameBytes < length) {
    return {State::kTorn, {}, bytes.size()};
  }
  const std::string_view payload = bytes.substr(kFrameBytes, length);
  const bool whole = ReadFixed<uint32_t>(bytes, 4) == CheckOf(payload, key);
  return {whole ? State::kRecord : State::kDamaged, payload,
          kFrameBytes + length};
}

}  // namespace vitrine::store
