// What a hand-over cannot do without: waking somebody up.
#ifndef VITRINE_BENCHMARKS_WAKE_PARTS_H_
#define VITRINE_BENCHMARKS_WAKE_PARTS_H_

#include <atomic>
#include <cstdint>

#include "benchmarks/processes.h"
#include "schema/base/unique_fd.h"

namespace vitrine {

// A process that sleeps until it is woken, again and again.
class Sleeper {
 public:
  enum class By : uint8_t { kFutex, kEventfd };
  enum class Where : uint8_t { kAnyCpu, kAnotherCpu };

  Sleeper(By by, Where where);
  ~Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Nanoseconds from waking it, when it has slept for 300 us, until it runs:
  // the median of some.
  double TimeWakeUp();

 private:
  struct Bed {
    std::atomic<uint32_t> word;
    std::atomic<uint64_t> woken;
    std::atomic<int64_t> woken_at_ns;
  };

  void SleepForEver() const;
  void SleepOnce(uint32_t times_woken) const;
  void Wake() const;

  const By by_;
  const Where where_;
  UniqueFd event_;
  Bed* const bed_;
  Processes process_;
};

// Of those that this process may use.
int CountCpus();

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_WAKE_PARTS_H_
