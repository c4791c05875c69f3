#include "fusefs/access_options.h"

#include <charconv>
#include <sstream>

#include "schema/base/user_names.h"

namespace vitrine::fusefs {
namespace {

using store::Access;

constexpr mode_t kOwnerMode = 0600;
constexpr mode_t kMostMode = 0666;
constexpr mode_t kGroupMode = 0660;

Error Invalid(const std::string& message) {
  return {Code::kInvalidArgument, message};
}

Status SetMode(const std::string& text, Access* access) {
  mode_t mode = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, mode, 8);
  if (read.ec != std::errc() || read.ptr != end || (mode & ~kMostMode) != 0 ||
      (mode & kOwnerMode) != kOwnerMode) {
    return Invalid("--socket-mode: '" + text +
                   "' is not of the kind of 0600, 0660 or 0666");
  }
  access->socket_mode = mode;
  return {};
}

Status SetGroup(const std::string& text, Access* access) {
  const Result<gid_t> group = FindGroup(text);
  if (!group) return Invalid("--socket-group: " + group.error().message);
  access->group = *group;
  if (!access->socket_mode) access->socket_mode = kGroupMode;
  return {};
}

// An end without a name, as of "a,", is a mistake, too.
Status AddUsers(const std::string& list, Access* access) {
  std::istringstream names(list + ",");
  for (std::string name; std::getline(names, name, ',');) {
    const Result<uid_t> user = FindUser(name);
    if (!user) return Invalid("--allow-users: " + user.error().message);
    access->users.push_back(*user);
  }
  return {};
}

}  // namespace

Result<Access> ParseAccess(const AccessTexts& texts) {
  Access access;
  Status status;
  if (texts.socket_mode) status = SetMode(*texts.socket_mode, &access);
  if (status && texts.socket_group) {
    status = SetGroup(*texts.socket_group, &access);
  }
  for (const std::string& list : texts.allow_users) {
    if (status) status = AddUsers(list, &access);
  }
  if (!status) return status.error();
  if (access.has_list() && (access.socket_mode || access.group)) {
    return Invalid(
        "--allow-users does without --socket-mode and --socket-group: the list "
        "alone says who may");
  }
  return access;
}

}  // namespace vitrine::fusefs
