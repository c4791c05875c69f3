// A connection to a database that cleans up after itself.  No policy.
#ifndef VITRINE_SCHEMA_SQLITE_DATABASE_H_
#define VITRINE_SCHEMA_SQLITE_DATABASE_H_

#include <sqlite3.h>
#include <vitrine/result.h>

#include <cstdint>
#include <string>
#include <utility>

#include "schema/sqlite/statement.h"

namespace vitrine::sqlite {

// Owns a connection.  Move-only; one thread at a time.
class Database {
 public:
  // `flags` as for sqlite3_open_v2.
  static Result<Database> Open(const std::string& path, int flags);
  // Read-only, for a file that no process writes meanwhile.  SQLite makes no
  // file beside it, so that no permission to do so is needed.
  static Result<Database> OpenImmutable(const std::string& path);
  Database() = default;
  Database(Database&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)),
        path_(std::move(other.path_)) {}
  Database& operator=(Database&& other) noexcept;
  ~Database();

  // Runs one or several statements without parameters, ignoring rows.
  Status Execute(const char* sql);
  Result<Statement> Prepare(const char* sql);
  // Prepares the first statement of `*sql` and moves that behind it.  The
  // statement is empty() if only white space and comments are left.
  Result<Statement> PrepareFirst(const char** sql);
  // The first column of the first row of `sql`.
  Result<int64_t> QueryInteger(const char* sql);

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }

 private:
  Database(sqlite3* handle, std::string path)
      : handle_(handle), path_(std::move(path)) {}
  // `name` is what SQLite is given for `path`: the path itself, or a URI.
  static Result<Database> OpenNamed(const std::string& name,
                                    const std::string& path, int flags);

  sqlite3* handle_ = nullptr;
  std::string path_;
};

}  // namespace vitrine::sqlite

#endif  // VITRINE_SCHEMA_SQLITE_DATABASE_H_
