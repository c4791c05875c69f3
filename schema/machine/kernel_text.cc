#include "schema/machine/kernel_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "schema/base/unique_fd.h"

namespace vitrine::machine {

Result<std::string> ReadText(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("read " + path, errno);
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t count = ::read(fd.get(), part.data(), part.size());
    if (count == 0) return text;
    if (count > 0) text.append(part.data(), static_cast<size_t>(count));
    if (count < 0 && errno != EINTR) return ErrnoError("read " + path, errno);
  }
}

std::optional<uint64_t> ReadNumber(const std::string& path) {
  const Result<std::string> text = ReadText(path);
  return text ? FindNumber(*text, "", 10) : std::nullopt;
}

std::optional<uint64_t> FindNumber(std::string_view text, std::string_view key,
                                   int base) {
  size_t at = 0;
  // Only at the start of a line.
  while (text.substr(at, key.size()) != key) {
    at = text.find('\n', at);
    if (at == std::string_view::npos) return std::nullopt;
    ++at;
  }
  text.remove_prefix(std::min(text.size(), at + key.size()));
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(
      text.data() + begin, text.data() + text.size(), number, base);
  if (error != std::errc()) return std::nullopt;
  return number;
}

std::optional<uint64_t> FindMeminfoBytes(std::string_view meminfo,
                                         std::string_view key) {
  const std::optional<uint64_t> kib = FindNumber(meminfo, key, 10);
  if (!kib || *kib > UINT64_MAX / 1024) return std::nullopt;
  return *kib * 1024;
}

std::optional<uint64_t> ReadMeminfoBytes(std::string_view key,
                                         const std::string& root) {
  return FindMeminfoBytes(ReadText(root + "/proc/meminfo").value_or(""), key);
}

std::string SelectedWord(std::string_view line) {
  const size_t open = line.find('[');
  const size_t close = line.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos ||
      close < open) {
    return "";
  }
  return std::string(line.substr(open + 1, close - open - 1));
}

}  // namespace vitrine::machine
