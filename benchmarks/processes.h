// Processes of one workload, and memory that they share.
#ifndef VITRINE_BENCHMARKS_PROCESSES_H_
#define VITRINE_BENCHMARKS_PROCESSES_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace vitrine {

// Forked children; they die with this process, and the program ends if one of
// them fails.
class Processes {
 public:
  Processes() = default;
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;
  // Kills those that were not waited for.
  ~Processes();

  // Runs `body` in a child, which ends with it.
  void Start(const std::function<void()>& body);
  // Ends the program if a child has ended badly.
  void CheckAlive();
  void WaitForAll();

 private:
  std::vector<pid_t> pids_;
};

// `count` zeroed Ts that this process and its children share until they end.
// T must be good as zeros.
void* AllocateShared(size_t size_bytes);
template <typename T>
T* AllocateSharedArray(size_t count) {
  return static_cast<T*>(AllocateShared(sizeof(T) * count));
}

// Waits until `word` is at least `value`; ends the program after 20 s.
void WaitUntilAtLeast(const std::atomic<uint64_t>& word, uint64_t value);

void SleepMicroseconds(int64_t count);

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_PROCESSES_H_
