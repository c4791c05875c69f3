// Users and groups by name.
#ifndef VITRINE_SCHEMA_BASE_ACCOUNT_NAMES_H_
#define VITRINE_SCHEMA_BASE_ACCOUNT_NAMES_H_

#include <sys/types.h>

#include <optional>
#include <string>

namespace vitrine {

// None: there is no such user or group.  May ask another host, and wait.
std::optional<uid_t> FindUser(const std::string& name);
std::optional<gid_t> FindGroup(const std::string& name);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_ACCOUNT_NAMES_H_
