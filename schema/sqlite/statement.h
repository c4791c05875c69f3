// A prepared statement that cleans up after itself.
#ifndef VITRINE_SCHEMA_SQLITE_STATEMENT_H_
#define VITRINE_SCHEMA_SQLITE_STATEMENT_H_

#include <sqlite3.h>
#include <vitrine/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "schema/sqlite/value.h"

namespace vitrine::sqlite {

// Owns a prepared statement.  Move-only; one thread at a time; the Database
// must outlive it.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement(Statement&& other) noexcept { *this = std::move(other); }
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  // True if there was no SQL in it.  Then nothing else may be called.
  bool empty() const { return statement_ == nullptr; }
  // True if running it would change the database.
  bool writes() const { return sqlite3_stmt_readonly(statement_) == 0; }

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

  // How many columns a row has, their names, and those of the row that is
  // there, from 0.
  int columns() const { return sqlite3_column_count(statement_); }
  std::string Name(int column) const;
  int64_t Integer(int column) const;
  std::string Text(int column) const;
  Value ValueOf(int column) const;

 private:
  void NoteBind(int code);

  sqlite3_stmt* statement_ = nullptr;
  int next_parameter_ = 1;
  int bind_code_ = SQLITE_OK;
};

}  // namespace vitrine::sqlite

#endif  // VITRINE_SCHEMA_SQLITE_STATEMENT_H_
