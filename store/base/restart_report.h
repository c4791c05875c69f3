// What a start made of what a killed store had left.
#ifndef VITRINE_STORE_BASE_RESTART_REPORT_H_
#define VITRINE_STORE_BASE_RESTART_REPORT_H_

#include <cstdint>
#include <string>

namespace vitrine::store {

struct RestartReport {
  uint64_t restored_objects = 0;
  // Stretches of the journal that cannot be read.
  uint64_t damaged_places = 0;
  uint64_t damaged_bytes = 0;
  // As the index of the killed store counts them.
  uint64_t lost_objects = 0;
  uint64_t lost_bytes = 0;
  // Segments of sealed objects, or of slabs, that no record names.
  uint64_t freed_segments = 0;
  uint64_t freed_bytes = 0;
  uint64_t evicted_objects = 0;  // For the capacity.
  uint64_t evicted_bytes = 0;

  bool anything_lost() const {
    return damaged_places > 0 || lost_objects > 0 || freed_segments > 0;
  }
  // For people, without an end of line: what was lost or evicted.  Empty:
  // nothing was.
  std::string Describe() const;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_RESTART_REPORT_H_
