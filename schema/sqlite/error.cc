#include "schema/sqlite/error.h"

#include <cstring>

namespace vitrine::sqlite {
namespace {

// Those where errno, too, has something to say.
bool ComesFromTheSystem(int sqlite_code) {
  const int primary = sqlite_code & 0xff;
  return primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
}

}  // namespace

Code CodeOf(int sqlite_code) {
  // A file ends where SQLite knows that it goes on.
  if (sqlite_code == SQLITE_IOERR_SHORT_READ) return Code::kCorruption;
  switch (sqlite_code & 0xff) {
    case SQLITE_ERROR:
      return Code::kInvalidArgument;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::kCorruption;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kUnavailable;
    case SQLITE_NOMEM:
      return Code::kOutOfMemory;
    case SQLITE_PERM:
      return Code::kPermissionDenied;
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return Code::kNotPermitted;
    default:
      return Code::kIoError;
  }
}

Error LastError(sqlite3* database, const std::string& what) {
  const int code = sqlite3_extended_errcode(database);
  std::string message = what + ": " + sqlite3_errmsg(database);
  // Of an error in the SQL the words say everything.
  if (code != SQLITE_ERROR) {
    message += " (SQLite code " + std::to_string(code) + ")";
  }
  const int system_errno = sqlite3_system_errno(database);
  if (ComesFromTheSystem(code) && system_errno != 0) {
    message += std::string(": ") + std::strerror(system_errno);
  }
  return Error{CodeOf(code), std::move(message)};
}

}  // namespace vitrine::sqlite
