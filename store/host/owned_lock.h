// A lock between the processes of one user, which no other user can take.
#ifndef VITRINE_STORE_HOST_OWNED_LOCK_H_
#define VITRINE_STORE_HOST_OWNED_LOCK_H_

#include <vitrine/result.h>

#include <string>

#include "schema/base/unique_fd.h"

namespace vitrine::store {

// Owns flock(2) of a file with the owner's pid in it.  The kernel drops the
// lock when the process ends, however it ends.  Destroying it removes the file.
//
// Whoever can open a file can lock it.  The file is therefore 0600 and ours
// from its beginning.  A file that others could open, of an earlier version or
// of somebody else, may be locked by anybody, for ever: it is replaced, unless
// the process that it names has it open.
class OwnedLock {
 public:
  // kUnavailable: a process has the lock: "another store (pid 7) <does_what>".
  static Result<OwnedLock> Take(const std::string& path,
                                const std::string& does_what);

  OwnedLock() = default;  // No lock.
  OwnedLock(OwnedLock&& other) noexcept = default;
  OwnedLock& operator=(OwnedLock&& other) noexcept;
  ~OwnedLock();

  bool held() const { return fd_.valid(); }

 private:
  OwnedLock(std::string path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;  // Valid: we have the lock.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_OWNED_LOCK_H_
