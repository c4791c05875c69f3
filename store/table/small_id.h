// An object's id as the object table keeps it: by the million.
#ifndef VITRINE_STORE_TABLE_SMALL_ID_H_
#define VITRINE_STORE_TABLE_SMALL_ID_H_

#include <vitrine/object_id.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace vitrine::store {

// 24 bytes; up to 23 characters are kept in place, where a std::string keeps
// 15 and takes 32.  Move-only: no copy is made unawares.
class SmallId {
 public:
  static constexpr size_t kInPlaceBytes = 23;

  explicit SmallId(const ObjectId& id)
      : size_(static_cast<uint8_t>(id.text().size())) {
    char* place = bytes_;
    if (!in_place()) {
      place = new char[size_];
      std::memcpy(bytes_, &place, sizeof(place));
    }
    std::memcpy(place, id.text().data(), size_);
  }
  SmallId(SmallId&& other) noexcept : size_(std::exchange(other.size_, 0)) {
    std::memcpy(bytes_, other.bytes_, sizeof(bytes_));
  }
  SmallId& operator=(SmallId&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SmallId() {
    if (!in_place()) delete[] elsewhere();
  }

  std::string_view text() const {
    return {in_place() ? bytes_ : elsewhere(), size_};
  }
  // It was one, so it is one.
  ObjectId ToObjectId() const { return *ObjectId::FromText(text()); }

  friend bool operator==(const SmallId& left, const SmallId& right) {
    return left.text() == right.text();
  }

 private:
  bool in_place() const { return size_ <= kInPlaceBytes; }
  char* elsewhere() const {
    char* place;
    std::memcpy(&place, bytes_, sizeof(place));
    return place;
  }

  uint8_t size_;
  char bytes_[kInPlaceBytes];
};

static_assert(sizeof(SmallId) == 24);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_SMALL_ID_H_
