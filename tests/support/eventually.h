// Waiting in tests.  Nothing else in them may sleep.
#ifndef VITRINE_TESTS_SUPPORT_EVENTUALLY_H_
#define VITRINE_TESTS_SUPPORT_EVENTUALLY_H_

#include <algorithm>
#include <chrono>
#include <thread>

namespace vitrine {

// True as soon as `condition` holds, false if it does not within `patience`.
template <typename Condition>
bool Eventually(Condition condition,
                std::chrono::milliseconds patience = std::chrono::seconds(20)) {
  using std::chrono::milliseconds;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  milliseconds pause(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, milliseconds(16));
  }
  return true;
}

// For tests whose subject is time itself: how long something goes on, or when
// it is hit.  A test never waits like this for something to have happened.
template <typename Duration>
void LetPass(Duration time) {
  std::this_thread::sleep_for(time);
}

}  // namespace vitrine

#endif  // VITRINE_TESTS_SUPPORT_EVENTUALLY_H_
