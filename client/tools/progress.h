// A progress bar on stderr for long transfers.
#ifndef VITRINE_CLIENT_TOOLS_PROGRESS_H_
#define VITRINE_CLIENT_TOOLS_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace vitrine::tools {

// Shown if stderr is a terminal and the transfer is large or has taken half a
// second; wiped when it ends.  One thread.
class Progress {
 public:
  // `total_bytes` 0: not known.
  Progress(std::string label, uint64_t total_bytes);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  // `done_bytes`: from the beginning.
  void Update(uint64_t done_bytes);

 private:
  using Clock = std::chrono::steady_clock;

  std::string Line(uint64_t done_bytes, double seconds) const;

  const std::string label_;
  const uint64_t total_bytes_;
  const bool terminal_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_;
  bool shown_ = false;
};

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_PROGRESS_H_
