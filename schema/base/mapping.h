#ifndef VITRINE_SCHEMA_BASE_MAPPING_H_
#define VITRINE_SCHEMA_BASE_MAPPING_H_

#include <sys/mman.h>
#include <vitrine/result.h>

#include <cstddef>
#include <utility>

namespace vitrine {

// Owns one shared memory mapping.  An empty one maps nothing.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    Mapping moved(std::move(other));
    std::swap(data_, moved.data_);
    std::swap(size_bytes_, moved.size_bytes_);
    return *this;
  }
  ~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_bytes_);
  }

  // Maps the first `size_bytes` of `fd`; `protection` as for mmap(2).  A size
  // of zero gives an empty mapping.  Left out of core dumps.
  static Result<Mapping> Map(int fd, size_t size_bytes, int protection);

  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

  // Frees the pages of a writable mapping of a file in memory, for all who map
  // it: the bytes are zero then.  Who writes there again gets pages of his own
  // account.
  void FreePages() const;

  // Gives the mapping up without unmapping it.
  std::byte* release() {
    size_bytes_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  Mapping(std::byte* data, size_t size_bytes)
      : data_(data), size_bytes_(size_bytes) {}

  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_MAPPING_H_
