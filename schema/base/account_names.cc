#include "schema/base/account_names.h"

#include <grp.h>
#include <pwd.h>

#include <vector>

namespace vitrine {
namespace {

constexpr size_t kEntryBytes = 64 * 1024;  // For groups of many members, too.

}  // namespace

std::optional<uid_t> FindUser(const std::string& name) {
  std::vector<char> buffer(kEntryBytes);
  passwd entry = {};
  passwd* found = nullptr;
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->pw_uid;
}

std::optional<gid_t> FindGroup(const std::string& name) {
  std::vector<char> buffer(kEntryBytes);
  group entry = {};
  group* found = nullptr;
  ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->gr_gid;
}

}  // namespace vitrine
