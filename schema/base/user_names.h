// Users and groups by their names.
#ifndef VITRINE_SCHEMA_BASE_USER_NAMES_H_
#define VITRINE_SCHEMA_BASE_USER_NAMES_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <string>

namespace vitrine {

// A name, or the number of one that has none.  kNotFound: there is no such user
// or group.  May ask another host, and wait.
Result<uid_t> FindUser(const std::string& text);
Result<gid_t> FindGroup(const std::string& text);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_USER_NAMES_H_
