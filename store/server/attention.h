#ifndef VITRINE_STORE_SERVER_ATTENTION_H_
#define VITRINE_STORE_SERVER_ATTENTION_H_

#include <algorithm>
#include <chrono>

namespace vitrine::store {

// How long a thread looks for more work before it sleeps.  A wake-up costs some
// 50 us on both sides, so it pays to stay awake for as long as steady work
// pauses: twice the mean pause of late, unless that is long.
class Attention {
 public:
  using Duration = std::chrono::nanoseconds;
  static constexpr Duration kShortest = std::chrono::microseconds(50);
  static constexpr Duration kLongest = std::chrono::milliseconds(1);

  // New work came after a pause of this time.
  void NoteWorkAfter(Duration pause) {
    // One long pause says nothing of the others.
    mean_ = (7 * mean_ + std::min(pause, 2 * kLongest)) / 8;
  }
  Duration Length() const {
    const Duration wanted = 2 * mean_;
    return wanted <= kLongest ? std::max(wanted, kShortest) : kShortest;
  }

 private:
  Duration mean_ = Duration::zero();
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SERVER_ATTENTION_H_
