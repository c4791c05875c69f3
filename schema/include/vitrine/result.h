// Errors as values: `Result<T>` holds either a T or an Error, `Status` is a
// Result without a value.  Nothing in the library throws.
#ifndef VITRINE_RESULT_H_
#define VITRINE_RESULT_H_

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace vitrine {

// What went wrong.  The numbers are part of the control protocol: append only.
enum class Code : uint8_t {
  kNotFound = 1,          // No such object, or it went away.
  kAlreadyExists = 2,     // The id is taken.
  kNotSealed = 3,         // The object is still being written.
  kInUse = 4,             // A process still has the object writable.
  kOutOfMemory = 5,       // No room, and nothing more could be evicted.
  kTooLarge = 6,          // Larger than the store will ever hold.
  kPermissionDenied = 7,  // The mode bits deny it (EACCES).
  kNotPermitted = 8,      // No user may: the object is immutable (EPERM).
  kInvalidArgument = 9,   // The caller's mistake.
  kTimeout = 10,          // The time that the caller allowed has passed.
  kGone = 11,             // The creator aborted or died.
  kDisconnected = 12,     // The store went away; the client reconnects.
  kForked = 13,           // This process is a fork: connect anew.
  kVersionMismatch = 14,  // Client, store or catalog of another version.
  kCorruption = 15,       // Bytes read from outside make no sense.
  kInterrupted = 16,      // A signal ended the wait.
  kUnsupported = 17,      // Not possible on this kernel or file system.
  kUnavailable = 18,      // A second store, a mount point in use, ...
  kIoError = 19,          // The operating system reported an error.
  kOverQuota = 20,        // The user, or the group, has all it may have.
  kTooMany = 21,  // The store has no more of something: descriptors, ...
};

inline constexpr Code kLastCode = Code::kTooMany;

// The code's name in words: "not found", "already exists", ...
const char* CodeName(Code code);

struct Error {
  Code code;
  std::string message;

  // "<code's name>: <message>"
  std::string ToString() const;
};

// Makes an Error from `errno_value`: "<what>: <strerror>".
Error ErrnoError(const std::string& what, int errno_value);

// Writes to standard error that a value was asked for although there is
// `error` instead, and ends the process.
[[noreturn]] void StopForError(const Error& error);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit.
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: implicit.

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // If there is an error, prints it and ends the process, in every build type.
  T& value() & { return CheckedValue(*this); }
  const T& value() const& { return CheckedValue(*this); }
  T&& value() && { return std::move(CheckedValue(*this)); }
  // `other` if there is an error.
  template <typename U>
  T value_or(U&& other) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(other));
  }
  template <typename U>
  T value_or(U&& other) && {
    return has_value() ? *std::move(*this)
                       : static_cast<T>(std::forward<U>(other));
  }

  // Undefined unless has_value(), as with std::optional; debug builds assert.
  T& operator*() & { return *this->operator->(); }
  const T& operator*() const& { return *this->operator->(); }
  T&& operator*() && { return std::move(*this->operator->()); }
  T* operator->() {
    assert(has_value());
    return std::get_if<0>(&state_);
  }
  const T* operator->() const {
    assert(has_value());
    return std::get_if<0>(&state_);
  }

  // Only if there is no value.
  const Error& error() const {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  template <typename Self>
  static auto& CheckedValue(Self& self) {
    if (!self.has_value()) StopForError(self.error());
    return *self;
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit.

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  const Error& error() const {
    assert(error_.has_value());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace vitrine

#endif  // VITRINE_RESULT_H_
