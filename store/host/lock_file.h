// Keeps a second store away from the same state directory.
#ifndef VITRINE_STORE_HOST_LOCK_FILE_H_
#define VITRINE_STORE_HOST_LOCK_FILE_H_

#include <vitrine/result.h>

#include <string>
#include <vector>

#include "store/host/owned_lock.h"

namespace vitrine::store {

// Owns the lock of `<state_dir>/lock`.  Where no file can be made there, as on
// a read-only or full disk, it owns a standby on /dev/shm, which counts as the
// same lock.  Destroying it removes the file, and the state directory if
// Acquire made it and nobody has put anything there.
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

  std::vector<std::string> made_dirs_;  // Parents first.
  OwnedLock lock_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_LOCK_FILE_H_
