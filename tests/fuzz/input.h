// What all fuzzers share: how they read their input, and how they say that
// something is wrong.
#ifndef VITRINE_TESTS_FUZZ_INPUT_H_
#define VITRINE_TESTS_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

// Each fuzzer defines it.  Called once for each input, by libFuzzer or by
// replay.cc.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace vitrine::fuzz {

[[noreturn]] inline void Fail(const char* file, int line,
                              const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  std::abort();
}

// Takes values off the front of the input.  Behind its end all of them are
// zero, so that each input means something.
class Input {
 public:
  Input(const uint8_t* data, size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool at_end() const { return rest_.empty(); }

  template <typename T>
  T Take() {
    static_assert(std::is_unsigned_v<T>);
    T value = 0;
    const std::string_view bytes = Front(sizeof(T));
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }
  uint8_t Byte() { return Take<uint8_t>(); }
  bool Flag() { return (Byte() & 1) != 0; }
  // At most `most` bytes.
  std::string Text(size_t most = 255) {
    const size_t wanted = most > 255 ? Take<uint16_t>() : Byte();
    return std::string(Front(wanted % (most + 1)));
  }
  std::string Rest() { return std::string(Front(rest_.size())); }
  // Where errors like to be: close to a power of two, or any number.
  uint64_t Wild() {
    const uint8_t kind = Byte();
    if (kind == 0xff) return Take<uint64_t>();
    if (kind < 0x80) return kind;
    return (uint64_t{1} << (kind % 64)) + Byte() - 2;
  }

 private:
  std::string_view Front(size_t wanted) {
    const size_t size = wanted < rest_.size() ? wanted : rest_.size();
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::string_view rest_;
};

// For the sanitizer, which knows the bytes that may be read.
inline void ReadEachByte(std::span<const std::byte> bytes) {
  std::byte all = {};
  for (const std::byte byte : bytes) all ^= byte;
  [[maybe_unused]] static volatile std::byte sink;
  sink = all;
}

// Overwrites parts of sound bytes: places and values, up to the input's end.
inline void Damage(Input* input, std::string* bytes) {
  while (!input->at_end() && !bytes->empty()) {
    const size_t place = input->Take<uint32_t>() % bytes->size();
    const std::string patch = input->Text();
    const size_t size = std::min(patch.size(), bytes->size() - place);
    bytes->replace(place, size, patch, 0, size);
  }
}

}  // namespace vitrine::fuzz

// Ends the program if a property does not hold.
#define FUZZ_CHECK(condition)                                           \
  do {                                                                  \
    if (!(condition)) {                                                 \
      vitrine::fuzz::Fail(__FILE__, __LINE__, "not true: " #condition); \
    }                                                                   \
  } while (false)
// The same for a Status or Result that must be OK.
#define FUZZ_OK(result)                                                   \
  do {                                                                    \
    if (const auto& fuzz_result = (result); !fuzz_result) {               \
      vitrine::fuzz::Fail(__FILE__, __LINE__,                             \
                          #result ": " + fuzz_result.error().ToString()); \
    }                                                                     \
  } while (false)

#endif  // VITRINE_TESTS_FUZZ_INPUT_H_
