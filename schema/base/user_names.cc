#include "schema/base/user_names.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <vector>

namespace vitrine {
namespace {

// 2^32 - 1 means "nobody in particular" to the kernel.
std::optional<uint32_t> ParseNumber(const std::string& text) {
  uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || number == UINT32_MAX) {
    return std::nullopt;
  }
  return number;
}

// Calls `get(entry, buffer, size, found)`, a getpw*_r or getgr*_r, with a
// buffer that is large enough.  None: there is no such entry.
template <typename Entry, typename Get, typename Take>
auto LookUp(Get get, Take take) -> std::optional<decltype(take(Entry()))> {
  std::vector<char> buffer(1024);
  for (;;) {
    Entry entry{};
    Entry* found = nullptr;
    const int error = get(&entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) {
      buffer.resize(2 * buffer.size());
    } else if (error != EINTR) {
      if (found == nullptr) return std::nullopt;
      return take(*found);
    }
  }
}

}  // namespace

Result<uid_t> FindUser(const std::string& text) {
  if (const auto number = ParseNumber(text)) return uid_t{*number};
  const auto named = LookUp<passwd>(
      [&](passwd* entry, char* buffer, size_t size, passwd** found) {
        return ::getpwnam_r(text.c_str(), entry, buffer, size, found);
      },
      [](const passwd& entry) { return entry.pw_uid; });
  if (named) return *named;
  return Error{Code::kNotFound, "there is no user '" + text + "'"};
}

Result<gid_t> FindGroup(const std::string& text) {
  if (const auto number = ParseNumber(text)) return gid_t{*number};
  const auto named = LookUp<group>(
      [&](group* entry, char* buffer, size_t size, group** found) {
        return ::getgrnam_r(text.c_str(), entry, buffer, size, found);
      },
      [](const group& entry) { return entry.gr_gid; });
  if (named) return *named;
  return Error{Code::kNotFound, "there is no group '" + text + "'"};
}

}  // namespace vitrine
