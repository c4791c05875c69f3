#include "schema/machine/mount_table.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <sstream>

#include "schema/machine/kernel_text.h"

namespace vitrine::machine {
namespace {

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// mountinfo writes blanks and backslashes as \ and three octal digits.
std::string Unescape(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) &&
        IsOctal(text[i + 2]) && IsOctal(text[i + 3])) {
      plain.push_back(static_cast<char>((text[i + 1] - '0') * 64 +
                                        (text[i + 2] - '0') * 8 +
                                        (text[i + 3] - '0')));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

// Words may be empty: a source often is.
std::vector<std::string> SplitAtBlanks(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream rest(line);
  for (std::string word; std::getline(rest, word, ' ');) words.push_back(word);
  return words;
}

// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=x":
// between the options and the dash stand any number of optional fields.
std::optional<MountEntry> ParseLine(const std::string& line) {
  constexpr ptrdiff_t kFixedWords = 6;
  constexpr ptrdiff_t kWordsFromDash = 4;
  const std::vector<std::string> words = SplitAtBlanks(line);
  if (std::ssize(words) < kFixedWords) return std::nullopt;
  const auto dash = std::find(words.begin() + kFixedWords, words.end(), "-");
  if (words.end() - dash < kWordsFromDash) return std::nullopt;
  if (words[2].empty() || words[4].empty() || dash[1].empty()) {
    return std::nullopt;
  }
  return MountEntry{.device = words[2],
                    .mount_point = Unescape(words[4]),
                    .type = dash[1],
                    .source = Unescape(dash[2]),
                    .options = words[5],
                    .super_options = dash[3]};
}

Result<std::optional<MountEntry>> FindLast(
    const std::function<bool(const MountEntry&)>& matches) {
  Result<std::vector<MountEntry>> entries = ReadMounts();
  if (!entries) return entries.error();
  std::optional<MountEntry> found;
  for (MountEntry& entry : *entries) {
    if (matches(entry)) found = std::move(entry);
  }
  return found;
}

}  // namespace

std::optional<std::string> MountEntry::SuperOption(
    const std::string& name) const {
  std::istringstream words(super_options);
  for (std::string word; std::getline(words, word, ',');) {
    if (word == name) return "";
    if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
  }
  return std::nullopt;
}

std::vector<MountEntry> ParseMountInfo(const std::string& text) {
  std::vector<MountEntry> entries;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (std::optional<MountEntry> entry = ParseLine(line)) {
      entries.push_back(*std::move(entry));
    }
  }
  return entries;
}

Result<std::vector<MountEntry>> ReadMounts() {
  const Result<std::string> text = ReadText("/proc/self/mountinfo");
  if (!text) return text.error();
  return ParseMountInfo(*text);
}

Result<std::optional<MountEntry>> FindMount(const std::string& mount_point) {
  return FindLast([&](const MountEntry& entry) {
    return entry.mount_point == mount_point;
  });
}

Result<std::optional<MountEntry>> FindMountOf(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return ErrnoError("stat " + path, errno);
  }
  const std::string device = std::to_string(major(status.st_dev)) + ":" +
                             std::to_string(minor(status.st_dev));
  return FindLast(
      [&](const MountEntry& entry) { return entry.device == device; });
}

}  // namespace vitrine::machine
