#ifndef VITRINE_SCHEMA_BASE_UNIQUE_FD_H_
#define VITRINE_SCHEMA_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace vitrine {

// Owns one file descriptor.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    UniqueFd moved(std::move(other));
    std::swap(fd_, moved.fd_);
    return *this;
  }
  ~UniqueFd() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_UNIQUE_FD_H_
