#include "client/tools/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "schema/base/size.h"

namespace vitrine::tools {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

Error BadText(const char* what, std::string_view text) {
  return {Code::kInvalidArgument,
          "'" + Printable(text) + "' is not " + std::string(what)};
}

// Splits "1.5G" into 1.5 and "G".  False: no finite, non-negative number.
bool SplitNumber(std::string_view text, double* number,
                 std::string_view* unit) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), *number,
                      std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(*number) || *number < 0 ||
      std::signbit(*number)) {
    return false;
  }
  *unit = text.substr(static_cast<size_t>(end - text.data()));
  return true;
}

std::string Format(const char* format, double number) {
  std::array<char, 64> buffer;
  std::snprintf(buffer.data(), buffer.size(), format, number);
  return buffer.data();
}

std::string FormatLocal(int64_t nanoseconds, const char* format) {
  const std::time_t seconds = nanoseconds / kNanosecondsPerSecond;
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return "?";
  std::array<char, 64> buffer;
  if (std::strftime(buffer.data(), buffer.size(), format, &local) == 0) {
    return "?";
  }
  return buffer.data();
}

// The length of the UTF-8 sequence at the start of `bytes`; 0: there is none.
size_t Utf8Length(std::string_view bytes) {
  const auto at = [&](size_t i) {
    return static_cast<unsigned char>(bytes[i]);
  };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies above U+10FFFF.
  if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) > 0x9f) ||
      (first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) > 0x8f)) {
    return 0;
  }
  return length;
}

// C0, DEL, and C1 (which is 0xc2 0x80..0x9f in UTF-8).
bool IsControl(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7f;
  return sequence.size() == 2 && first == 0xc2 &&
         static_cast<unsigned char>(sequence[1]) < 0xa0;
}

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  const std::string exact = std::to_string(bytes) + " bytes";
  return bytes < 1024 ? exact : exact + " (" + FormatSize(bytes) + ")";
}

Result<Timeout> ParseTimeout(std::string_view text) {
  if (text == "never") return kNever;
  const Error bad =
      BadText("a time (such as 5, 0.5, 500ms, 2m, 1h or never)", text);
  double number = 0;
  std::string_view unit;
  if (!SplitNumber(text, &number, &unit)) return bad;
  double milliseconds = 0;
  if (unit.empty() || unit == "s") {
    milliseconds = number * 1e3;
  } else if (unit == "ms") {
    milliseconds = number;
  } else if (unit == "m" || unit == "min") {
    milliseconds = number * 60e3;
  } else if (unit == "h") {
    milliseconds = number * 3600e3;
  } else {
    return bad;
  }
  // A century is as good as any longer time.
  constexpr double kMaxMilliseconds = 100 * 366 * 86400e3;
  return Timeout(static_cast<int64_t>(
      std::ceil(std::min(milliseconds, kMaxMilliseconds))));
}

std::string FormatSeconds(double seconds) {
  if (!(seconds >= 60)) return Format("%.1f s", seconds);  // Also no number.
  // A store may say anything; this is more than anybody waits.
  constexpr double kMostSeconds = 1e15;
  const auto whole = static_cast<int64_t>(std::min(seconds, kMostSeconds));
  const auto two = [](int64_t first, const char* first_unit, int64_t second,
                      const char* second_unit) {
    return std::to_string(first) + " " + first_unit + " " +
           std::to_string(second) + " " + second_unit;
  };
  if (whole < 3600) return two(whole / 60, "min", whole % 60, "s");
  if (whole < 86400) return two(whole / 3600, "h", whole % 3600 / 60, "min");
  return two(whole / 86400, "d", whole % 86400 / 3600, "h");
}

std::string FormatTime(int64_t nanoseconds_since_1970) {
  if (nanoseconds_since_1970 <= 0) return "-";
  std::array<char, 8> millis;
  std::snprintf(millis.data(), millis.size(), ".%03d",
                static_cast<int>(nanoseconds_since_1970 %
                                 kNanosecondsPerSecond / 1'000'000));
  return FormatLocal(nanoseconds_since_1970, "%Y-%m-%d %H:%M:%S") +
         millis.data();
}

std::string FormatTimeShort(int64_t nanoseconds_since_1970, int64_t now_ns) {
  constexpr int64_t kHalfYear = 15'778'476 * kNanosecondsPerSecond;
  const bool recent = nanoseconds_since_1970 > now_ns - kHalfYear &&
                      nanoseconds_since_1970 <= now_ns;
  return FormatLocal(nanoseconds_since_1970,
                     recent ? "%b %e %H:%M" : "%b %e  %Y");
}

std::string FormatMode(unsigned mode) {
  constexpr std::string_view kBits = "rwxrwxrwx";
  std::string text = "-";
  for (size_t i = 0; i < kBits.size(); ++i) {
    text += (mode >> (kBits.size() - 1 - i) & 1) != 0 ? kBits[i] : '-';
  }
  return text;
}

Result<unsigned> ParseMode(std::string_view text) {
  unsigned mode = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc() || end != text.data() + text.size() || mode > 0777) {
    return BadText("a mode (such as 0644)", text);
  }
  return mode;
}

std::string Printable(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t length = Utf8Length(bytes);
    const std::string_view sequence =
        bytes.substr(0, std::max<size_t>(1, length));
    if (sequence == "\\") {
      text += "\\\\";
    } else if (length != 0 && !IsControl(sequence)) {
      text += sequence;
    } else {
      for (const char byte : sequence) text += "\\x" + Hex({&byte, 1});
    }
    bytes.remove_prefix(sequence.size());
  }
  return text;
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = Utf8Length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 0xf];
  }
  return text;
}

}  // namespace vitrine::tools
