// What /etc/fuse.conf allows ordinary users.
#ifndef VITRINE_SCHEMA_MACHINE_FUSE_CONF_H_
#define VITRINE_SCHEMA_MACHINE_FUSE_CONF_H_

#include <string>

namespace vitrine::machine {

// May they let others into their mounts (`user_allow_other`)?  Not if the file
// cannot be read.  `root` is where etc is.
bool FuseConfAllowsOthers(const std::string& root = "/");

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_FUSE_CONF_H_
