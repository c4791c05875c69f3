#include <sys/random.h>
#include <vitrine/object_id.h>

namespace vitrine {

Result<ObjectId> ObjectId::FromText(std::string_view text) {
  if (text.empty() || text.size() > kMaxBytes) {
    return Error{
        Code::kInvalidArgument,
        "an object id has 1 to 255 bytes, not " + std::to_string(text.size())};
  }
  if (text == "." || text == "..") {
    return Error{Code::kInvalidArgument, "`.` and `..` are no object ids"};
  }
  if (text.find('/') != text.npos || text.find('\0') != text.npos) {
    return Error{Code::kInvalidArgument,
                 "an object id has neither `/` nor NUL"};
  }
  return ObjectId(std::string(text));
}

ObjectId ObjectId::FromBinary(
    const std::array<std::byte, kBinaryBytes>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * kBinaryBytes);
  for (std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte >> 4)];
    text += kDigits[std::to_integer<unsigned>(byte & std::byte{15})];
  }
  return ObjectId(std::move(text));
}

ObjectId ObjectId::Random() {
  std::array<std::byte, kBinaryBytes> bytes;
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got =
        ::getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (got > 0) filled += static_cast<size_t>(got);
  }
  return FromBinary(bytes);
}

}  // namespace vitrine
