#include "fusefs/kernel/process_state.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <string>

#include "schema/base/unique_fd.h"

namespace vitrine::fusefs {
namespace {

// Positions counted from the state, which follows the name (proc(5), fields
// 3, 9 and 52).
constexpr int kFlagsField = 6;
constexpr int kExitCodeField = 49;
constexpr uint64_t kExiting = 0x4;  // PF_EXITING

// The `index`-th word of `words`, as a number; 0: none.
uint64_t Field(std::string_view words, int index) {
  for (; index > 0; --index) {
    const size_t blank = words.find(' ');
    if (blank == std::string_view::npos) return 0;
    words.remove_prefix(blank + 1);
  }
  uint64_t value = 0;
  std::from_chars(words.data(), words.data() + words.size(), value);
  return value;
}

}  // namespace

bool SaysKilledBySignal(std::string_view stat) {
  // The name may have blanks and parentheses; the last parenthesis ends it.
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos) return false;
  const std::string_view words = stat.substr(name_end + 2);
  const uint64_t flags = Field(words, kFlagsField);
  if ((flags & kExiting) == 0) return false;
  // The exit code is that of the whole process.  PF_SIGNALED would mislead:
  // when a thread calls exit_group, all others get that flag.
  return (Field(words, kExitCodeField) & 0x7f) != 0;
}

bool IsDyingFromSignal(pid_t thread_id) {
  const std::string path = "/proc/" + std::to_string(thread_id) + "/stat";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return false;
  char text[1024];
  const ssize_t size = ::read(fd.get(), text, sizeof(text));
  return size > 0 &&
         SaysKilledBySignal(std::string_view(text, static_cast<size_t>(size)));
}

}  // namespace vitrine::fusefs
