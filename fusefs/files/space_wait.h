// How long a request of the mount waits for memory.
#ifndef VITRINE_FUSEFS_FILES_SPACE_WAIT_H_
#define VITRINE_FUSEFS_FILES_SPACE_WAIT_H_

#include <chrono>

#include "fusefs/base/store_names.h"

namespace vitrine::fusefs {

inline constexpr std::chrono::seconds kSpaceTimeout(30);

inline SpaceWait BoundedWait() {
  return {std::chrono::steady_clock::now() + kSpaceTimeout, true};
}

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_SPACE_WAIT_H_
