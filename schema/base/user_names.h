// Users and groups by their names.
#ifndef VITRINE_SCHEMA_BASE_USER_NAMES_H_
#define VITRINE_SCHEMA_BASE_USER_NAMES_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <string>

namespace vitrine {

// A number, or a name.  kNotFound: there is no such user or group.  A name may
// have to be asked of another host.
Result<uid_t> FindUser(const std::string& text);
Result<gid_t> FindGroup(const std::string& text);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_USER_NAMES_H_
