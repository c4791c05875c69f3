// The permissions that /etc/fuse.conf gives ordinary users.
#ifndef VITRINE_SCHEMA_MACHINE_FUSE_CONF_H_
#define VITRINE_SCHEMA_MACHINE_FUSE_CONF_H_

#include <string>

namespace vitrine::machine {

// True if they may admit other users to their mounts (`user_allow_other`).
// False if the file cannot be read.  `root` is the directory that has etc.
bool FuseConfAllowsOthers(const std::string& root = "/");

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_FUSE_CONF_H_
