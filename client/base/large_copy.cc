#include "client/base/large_copy.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

#include "client/base/signals_blocked.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace vitrine {
namespace {

// A thread for a smaller copy costs more than it gains.
constexpr size_t kLeastThreadBytes = size_t{32} << 20;
constexpr size_t kMostThreads = 16;
constexpr size_t kLineBytes = 64;

#ifdef __SSE2__
// Stores a whole cache line, so that it leaves the write-combining buffer at
// once.
void StreamLine(std::byte* to, const std::byte* from) {
  auto* const target = reinterpret_cast<__m128i*>(to);
  const auto* const source = reinterpret_cast<const __m128i*>(from);
  const __m128i a = _mm_loadu_si128(source);
  const __m128i b = _mm_loadu_si128(source + 1);
  const __m128i c = _mm_loadu_si128(source + 2);
  const __m128i d = _mm_loadu_si128(source + 3);
  _mm_stream_si128(target, a);
  _mm_stream_si128(target + 1, b);
  _mm_stream_si128(target + 2, c);
  _mm_stream_si128(target + 3, d);
}

void Stream(std::byte* to, const std::byte* from, size_t size_bytes) {
  const size_t misaligned = reinterpret_cast<uintptr_t>(to) % kLineBytes;
  const size_t head =
      std::min(size_bytes, misaligned == 0 ? 0 : kLineBytes - misaligned);
  std::memcpy(to, from, head);
  size_t done = head;
  for (; size_bytes - done >= kLineBytes; done += kLineBytes) {
    StreamLine(to + done, from + done);
  }
  std::memcpy(to + done, from + done, size_bytes - done);
  _mm_sfence();  // Streamed stores are not ordered with others.
}
#else
void Stream(std::byte* to, const std::byte* from, size_t size_bytes) {
  std::memcpy(to, from, size_bytes);
}
#endif

// False: no thread can be had.
bool StartCopy(std::byte* to, const std::byte* from, size_t size_bytes,
               std::vector<std::thread>* helpers) {
  const AllSignalsBlocked blocked;
  try {
    helpers->emplace_back(Stream, to, from, size_bytes);
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

}  // namespace

void CopyLarge(std::span<std::byte> to, std::span<const std::byte> from,
               unsigned threads) {
  if (from.empty()) return;  // Its data may be null.
  const size_t size_bytes = from.size();
  const size_t parts = std::clamp<size_t>(
      std::min<size_t>(threads, size_bytes / kLeastThreadBytes), 1,
      kMostThreads);
  const size_t part_bytes = size_bytes / parts / kLineBytes * kLineBytes;
  std::vector<std::thread> helpers;
  size_t done = 0;
  while (
      helpers.size() + 1 < parts &&
      StartCopy(to.data() + done, from.data() + done, part_bytes, &helpers)) {
    done += part_bytes;
  }
  Stream(to.data() + done, from.data() + done, size_bytes - done);
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace vitrine
