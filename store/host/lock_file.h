// Keeps a second store away from the same state directory.
#ifndef VITRINE_STORE_HOST_LOCK_FILE_H_
#define VITRINE_STORE_HOST_LOCK_FILE_H_

#include <vitrine/result.h>

#include <string>
#include <vector>

#include "schema/base/unique_fd.h"

namespace vitrine::store {

// Owns the lock of `<state_dir>/lock`, a file with the owner's pid in it.  The
// kernel drops the lock when the process ends, however it ends.  Destroying it
// removes the file, and the state directory if Acquire made it and nobody
// has put anything there.
class LockFile {
 public:
  // Makes the state directory (0755) and its parents where missing.
  // kUnavailable: another store has it; the message names its pid.
  static Result<LockFile> Acquire(const std::string& state_dir);

  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

 private:
  LockFile() = default;

  Status MakeStateDir(const std::string& state_dir);
  // False: the file was removed while we waited for it; try again.
  Result<bool> TryLock(const std::string& state_dir);

  std::string path_;
  std::vector<std::string> made_dirs_;  // Parents first.
  UniqueFd fd_;                         // Valid: we have the lock.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_LOCK_FILE_H_
