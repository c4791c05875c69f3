// SQLite's codes as ours.
#ifndef VITRINE_SCHEMA_SQLITE_ERROR_H_
#define VITRINE_SCHEMA_SQLITE_ERROR_H_

#include <sqlite3.h>
#include <vitrine/result.h>

#include <string>

namespace vitrine::sqlite {

// kInvalidArgument: the SQL makes no sense.  kNotPermitted: this connection
// does not do that for anybody.  kCorruption: damaged, or no database.
// kUnavailable: locked by somebody.  kIoError: disk full, unreadable, and the
// like.
Code CodeOf(int sqlite_code);

// The error that `database` reported last: "<what>: <SQLite's words>", with
// SQLite's number and the system's reason where those say more.
Error LastError(sqlite3* database, const std::string& what);

}  // namespace vitrine::sqlite

#endif  // VITRINE_SCHEMA_SQLITE_ERROR_H_
