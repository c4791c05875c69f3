// Numbers packed into few bytes (LEB128): seven bits in each byte, the lowest
// first; the eighth bit tells that more follow.
#ifndef VITRINE_STORE_JOURNAL_PACKING_H_
#define VITRINE_STORE_JOURNAL_PACKING_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace vitrine::store {

inline void PackNumber(uint64_t number, std::string* bytes) {
  for (; number >= 0x80; number >>= 7) {
    bytes->push_back(static_cast<char>(number | 0x80));
  }
  bytes->push_back(static_cast<char>(number));
}

// Unpacks values from the front of untrusted bytes.  After the first value that
// is missing, all values are zero and ok() is false.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

  uint64_t Number() {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::string_view byte = Bytes(1);
      if (!ok_) return 0;
      const auto bits = static_cast<uint8_t>(byte[0]);
      number |= uint64_t{bits & 0x7fU} << shift;
      if (bits < 0x80) return number;
    }
    ok_ = false;
    return 0;
  }

  std::string_view Bytes(uint64_t count) {
    ok_ = ok_ && count <= rest_.size();
    if (!ok_) return {};
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_JOURNAL_PACKING_H_
