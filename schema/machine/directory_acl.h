// Access control lists of directories (acl(5)) as the kernel takes and gives
// them.
#ifndef VITRINE_SCHEMA_MACHINE_DIRECTORY_ACL_H_
#define VITRINE_SCHEMA_MACHINE_DIRECTORY_ACL_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace vitrine::machine {

inline constexpr std::string_view kAccessAcl = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAcl = "system.posix_acl_default";

// The value of kAccessAcl of a directory that its owner may change, `users` may
// enter and list, and nobody else but root may enter.  The directory's mode is
// then 0750.
std::string MakeDirectoryAcl(std::vector<uid_t> users);

// Gives the directory that list.  kUnsupported: its file system has none.
Status SetDirectoryAcl(const std::string& path, std::vector<uid_t> users);
// Takes away what SetDirectoryAcl gave.
Status RemoveDirectoryAcl(const std::string& path);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_DIRECTORY_ACL_H_
