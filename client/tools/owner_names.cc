#include "client/tools/owner_names.h"

#include <grp.h>
#include <pwd.h>

namespace vitrine::tools {

const std::string& OwnerNames::User(unsigned uid) {
  const auto [entry, is_new] = users_.try_emplace(uid);
  if (is_new) {
    const passwd* user = ::getpwuid(uid);
    entry->second = user != nullptr ? user->pw_name : std::to_string(uid);
  }
  return entry->second;
}

const std::string& OwnerNames::Group(unsigned gid) {
  const auto [entry, is_new] = groups_.try_emplace(gid);
  if (is_new) {
    const group* found = ::getgrgid(gid);
    entry->second = found != nullptr ? found->gr_name : std::to_string(gid);
  }
  return entry->second;
}

}  // namespace vitrine::tools
