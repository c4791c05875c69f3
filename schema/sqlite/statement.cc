#include "schema/sqlite/statement.h"

#include "schema/sqlite/error.h"

namespace vitrine::sqlite {
namespace {

// Empty if the database has no file.
std::string PathOf(sqlite3* database) {
  const char* path = sqlite3_db_filename(database, "main");
  return path == nullptr ? std::string() : path;
}

std::string Bytes(sqlite3_stmt* statement, int column) {
  const auto* data =
      static_cast<const char*>(sqlite3_column_blob(statement, column));
  const int size = sqlite3_column_bytes(statement, column);
  if (data == nullptr) return std::string();
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  std::swap(next_parameter_, other.next_parameter_);
  std::swap(bind_code_, other.bind_code_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::Bind(int64_t value) {
  NoteBind(sqlite3_bind_int64(statement_, next_parameter_, value));
  return *this;
}

Statement& Statement::Bind(std::string_view text) {
  NoteBind(sqlite3_bind_text64(statement_, next_parameter_, text.data(),
                               text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::BindNull() {
  NoteBind(sqlite3_bind_null(statement_, next_parameter_));
  return *this;
}

Statement& Statement::BindUnlessZero(int64_t value) {
  return value == 0 ? BindNull() : Bind(value);
}

void Statement::NoteBind(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
  ++next_parameter_;
}

Result<bool> Statement::Step() {
  if (bind_code_ != SQLITE_OK) {
    return Error{CodeOf(bind_code_),
                 std::string("bind: ") + sqlite3_errstr(bind_code_)};
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  sqlite3* database = sqlite3_db_handle(statement_);
  return LastError(database, PathOf(database));
}

Status Statement::Run() {
  for (;;) {
    const Result<bool> row = Step();
    if (!row) {
      const Error error = row.error();
      Reset();
      return error;
    }
    if (*row) continue;
    Reset();
    return Status();
  }
}

void Statement::Reset() {
  sqlite3_reset(statement_);  // Repeats Step's code, which the caller has.
  next_parameter_ = 1;
  bind_code_ = SQLITE_OK;
}

std::string Statement::Name(int column) const {
  const char* name = sqlite3_column_name(statement_, column);
  return name == nullptr ? std::string() : name;
}

int64_t Statement::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Statement::Text(int column) const {
  // The text first: it may convert, which changes the size.
  const unsigned char* text = sqlite3_column_text(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (text == nullptr) return std::string();
  return std::string(reinterpret_cast<const char*>(text),
                     static_cast<size_t>(size));
}

Value Statement::ValueOf(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_NULL:
      return std::monostate();
    case SQLITE_INTEGER:
      return Integer(column);
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement_, column);
    case SQLITE_BLOB:
      return Blob{Bytes(statement_, column)};
    default:
      return Text(column);
  }
}

}  // namespace vitrine::sqlite
