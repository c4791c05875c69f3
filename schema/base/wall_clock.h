#ifndef VITRINE_SCHEMA_BASE_WALL_CLOCK_H_
#define VITRINE_SCHEMA_BASE_WALL_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace vitrine {

// Nanoseconds since 1970.
inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_WALL_CLOCK_H_
