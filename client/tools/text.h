// Durations, modes and ids as people write and read them.
#ifndef VITRINE_CLIENT_TOOLS_TEXT_H_
#define VITRINE_CLIENT_TOOLS_TEXT_H_

#include <vitrine/client.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace vitrine::tools {

// "17 bytes", "4096 bytes (4.0 KiB)".
std::string FormatBytes(uint64_t bytes);

// Seconds ("5", "0.5"), or with a unit: "500ms", "2m", "1h"; "never".
// kInvalidArgument: anything else.
Result<Timeout> ParseTimeout(std::string_view text);

// "3 d 4 h", "2 min 5 s", "7.2 s".
std::string FormatSeconds(double seconds);

// "2026-03-01 12:00:00.123" in local time; "-" for 0.
std::string FormatTime(int64_t nanoseconds_since_1970);

// As `ls -l` says it: the time of day for the last six months, else the year.
std::string FormatTimeShort(int64_t nanoseconds_since_1970, int64_t now_ns);

// "-rw-r--r--"
std::string FormatMode(unsigned mode);

// Permission bits in octal.  kInvalidArgument: no such bits.
Result<unsigned> ParseMode(std::string_view text);

// Safe to show on a terminal: control bytes and bytes that are no UTF-8 become
// \xNN, a backslash \\.
std::string Printable(std::string_view bytes);

bool IsUtf8(std::string_view bytes);

// Lower-case hexadecimal digits.
std::string Hex(std::string_view bytes);

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_TEXT_H_
