// Users and groups by their names.
#ifndef VITRINE_STORE_HOST_USER_NAMES_H_
#define VITRINE_STORE_HOST_USER_NAMES_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <string>

namespace vitrine::store {

// A name or a number.  kInvalidArgument: there is no such user or group.
Result<uid_t> FindUser(const std::string& text);
Result<gid_t> FindGroup(const std::string& text);
// The user's name; his number, if he has none.
std::string NameOfUser(uid_t uid);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_USER_NAMES_H_
