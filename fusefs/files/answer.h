// The answer to a request of the mount: a value, or an errno.
#ifndef VITRINE_FUSEFS_FILES_ANSWER_H_
#define VITRINE_FUSEFS_FILES_ANSWER_H_

#include <vitrine/result.h>

#include <cassert>
#include <functional>
#include <utility>
#include <variant>

namespace vitrine::fusefs {

// The errno for `error`.  This is the only such table.
int ToErrno(const Error& error);

// An errno as an answer.
struct Errno {
  int value;
};

template <typename T>
class [[nodiscard]] Answer {
 public:
  Answer(T value) : state_(std::move(value)) {}                  // NOLINT
  Answer(Errno error) : state_(error) {}                         // NOLINT
  Answer(const Error& error) : state_(Errno{ToErrno(error)}) {}  // NOLINT

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() {
    assert(*this);
    return *std::get_if<0>(&state_);
  }
  const T& operator*() const {
    assert(*this);
    return *std::get_if<0>(&state_);
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }
  // 0: there is a value.
  int error() const { return *this ? 0 : std::get_if<1>(&state_)->value; }

 private:
  std::variant<T, Errno> state_;
};

template <>
class [[nodiscard]] Answer<void> {
 public:
  Answer() = default;
  Answer(Errno error) : errno_(error.value) {}            // NOLINT
  Answer(const Error& error) : errno_(ToErrno(error)) {}  // NOLINT
  Answer(const Status& status)                            // NOLINT
      : errno_(status ? 0 : ToErrno(status.error())) {}

  explicit operator bool() const { return errno_ == 0; }
  int error() const { return errno_; }

 private:
  int errno_ = 0;
};

// Takes the answer of a request that may have to wait.  Called exactly once,
// before the request's method returns or later on another thread.
template <typename T>
using OnAnswer = std::function<void(Answer<T>)>;

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_ANSWER_H_
