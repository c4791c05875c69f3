// Whether a directory can be written at present.
#ifndef VITRINE_STORE_HOST_WRITABLE_DIR_H_
#define VITRINE_STORE_HOST_WRITABLE_DIR_H_

#include <string>

namespace vitrine::store {

// True if no file can be made in `dir`: its file system is read-only or full,
// or we may not.  That is no reason not to serve objects.  False if `dir` is
// missing.
bool CannotBeWritten(const std::string& dir);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_WRITABLE_DIR_H_
