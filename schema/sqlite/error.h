// SQLite's error codes as codes of Error.
#ifndef VITRINE_SCHEMA_SQLITE_ERROR_H_
#define VITRINE_SCHEMA_SQLITE_ERROR_H_

#include <sqlite3.h>
#include <vitrine/result.h>

#include <string>

namespace vitrine::sqlite {

// kInvalidArgument: the SQL is wrong.  kNotPermitted: the connection may not do
// that.  kCorruption: damaged, or no database.  kUnavailable: locked by another
// connection.  kIoError: disk full, unreadable, and the like.
Code CodeOf(int sqlite_code);

// The error that `database` reported last: "<what>: <SQLite's words>", with
// SQLite's number and the system's reason where those say more.
Error LastError(sqlite3* database, const std::string& what);

}  // namespace vitrine::sqlite

#endif  // VITRINE_SCHEMA_SQLITE_ERROR_H_
