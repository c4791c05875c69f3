// Whose process the pid in a lock file is.
#ifndef VITRINE_STORE_HOST_LOCK_HOLDER_H_
#define VITRINE_STORE_HOST_LOCK_HOLDER_H_

#include <sys/types.h>

#include <optional>
#include <string>

namespace vitrine::store {

// What the owner wrote to the file; none if that makes no sense.
std::optional<pid_t> PidIn(int fd);

// The process that the file `fd`, at `path`, names, if it has the file open and
// is one of the file's owner.  None if the file's owner is somebody who could
// not decide about the directory anyway.
std::optional<pid_t> LivingOwnerOf(int fd, const std::string& path);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_LOCK_HOLDER_H_
