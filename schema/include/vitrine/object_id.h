// The name of an object: 1 to 255 bytes that are a valid file name.
#ifndef VITRINE_OBJECT_ID_H_
#define VITRINE_OBJECT_ID_H_

#include <vitrine/result.h>

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace vitrine {

// Immutable after construction; always valid.  Copyable.
class ObjectId {
 public:
  static constexpr size_t kMaxBytes = 255;
  static constexpr size_t kBinaryBytes = 20;

  // Takes `text` as the id.  kInvalidArgument: empty, longer than 255 bytes,
  // `.` or `..`, or it has a `/` or a NUL.
  static Result<ObjectId> FromText(std::string_view text);

  // Takes 20 raw bytes; the id is their 40-digit lower-case hex name.
  static ObjectId FromBinary(const std::array<std::byte, kBinaryBytes>& bytes);

  // A fresh id of 20 random bytes.
  static ObjectId Random();

  const std::string& text() const { return text_; }

  friend auto operator<=>(const ObjectId&, const ObjectId&) = default;
  friend bool operator==(const ObjectId&, const ObjectId&) = default;

 private:
  explicit ObjectId(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace vitrine

template <>
struct std::hash<vitrine::ObjectId> {
  size_t operator()(const vitrine::ObjectId& id) const noexcept {
    return std::hash<std::string>()(id.text());
  }
};

#endif  // VITRINE_OBJECT_ID_H_
