// SQLite's handles as values that clean up after themselves, and its codes as
// ours.  No policy.
#ifndef VITRINE_STORE_CATALOG_SQLITE_H_
#define VITRINE_STORE_CATALOG_SQLITE_H_

#include <sqlite3.h>
#include <vitrine/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace vitrine::store {

// The error that `database` reported last: "<what>: <SQLite's words>".
// kCorruption: damaged, or no database.  kUnavailable: locked by somebody.
// kIoError: disk full, unreadable, and the like.
Error SqliteError(sqlite3* database, const std::string& what);

// Owns a prepared statement.  Move-only; one thread at a time; the Database
// must outlive it.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement(Statement&& other) noexcept { *this = std::move(other); }
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  // Binds the parameters from left to right, the first after construction or
  // Reset being number 1.  Texts must stay valid until Reset.  A failure is
  // told by the Step that follows.
  Statement& Bind(int64_t value);
  Statement& Bind(std::string_view text);
  Statement& BindNull();
  // NULL if `value` is zero.
  Statement& BindUnlessZero(int64_t value);

  // True: a row is there.  False: no more rows.
  Result<bool> Step();
  // Steps to the end and resets.
  Status Run();
  // Ready for new parameters.
  void Reset();

  // How many columns a row has, and those of the row that is there, from 0.
  int columns() const { return sqlite3_column_count(statement_); }
  int64_t Integer(int column) const;
  std::string Text(int column) const;

 private:
  void NoteBind(int code);

  sqlite3_stmt* statement_ = nullptr;
  int next_parameter_ = 1;
  int bind_code_ = SQLITE_OK;
};

// Owns a connection.  Move-only; one thread at a time.
class Database {
 public:
  // `flags` as for sqlite3_open_v2.
  static Result<Database> Open(const std::string& path, int flags);
  Database() = default;
  Database(Database&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)),
        path_(std::move(other.path_)) {}
  Database& operator=(Database&& other) noexcept;
  ~Database();

  // Runs one or several statements without parameters, ignoring rows.
  Status Execute(const char* sql);
  Result<Statement> Prepare(const char* sql);
  // The first column of the first row of `sql`.
  Result<int64_t> QueryInteger(const char* sql);

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }

 private:
  Database(sqlite3* handle, std::string path)
      : handle_(handle), path_(std::move(path)) {}

  sqlite3* handle_ = nullptr;
  std::string path_;
};

// A write transaction; rolled back unless committed.  The Database must
// outlive it.
class Transaction {
 public:
  static Result<Transaction> Begin(Database* database);
  Transaction(Transaction&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Status Commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}

  Database* database_;  // Null: over.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_SQLITE_H_
