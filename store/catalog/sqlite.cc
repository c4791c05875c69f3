#include "store/catalog/sqlite.h"

#include <cstring>

namespace vitrine::store {
namespace {

Code ToCode(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::kCorruption;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kUnavailable;
    case SQLITE_NOMEM:
      return Code::kOutOfMemory;
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return Code::kPermissionDenied;
    default:
      return Code::kIoError;
  }
}

// Those where errno, too, has something to say.
bool ComesFromTheSystem(int sqlite_code) {
  const int primary = sqlite_code & 0xff;
  return primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
}

}  // namespace

Error SqliteError(sqlite3* database, const std::string& what) {
  const int code = sqlite3_extended_errcode(database);
  std::string message = what + ": " + sqlite3_errmsg(database) +
                        " (SQLite code " + std::to_string(code) + ")";
  const int system_errno = sqlite3_system_errno(database);
  if (ComesFromTheSystem(code) && system_errno != 0) {
    message += std::string(": ") + std::strerror(system_errno);
  }
  return Error{ToCode(code), std::move(message)};
}

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
    return Error{ToCode(bind_code_),
                 std::string("bind: ") + sqlite3_errstr(bind_code_)};
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(sqlite3_db_handle(statement_), "step");
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

Result<Database> Database::Open(const std::string& path, int flags) {
  // Nobody asks for its statistics, for which each allocation takes a lock.
  [[maybe_unused]] static const int configured =
      sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle, path);  // Even a failed open needs a close.
  if (handle == nullptr) {
    return Error{Code::kOutOfMemory, "open " + path + ": out of memory"};
  }
  sqlite3_extended_result_codes(handle, 1);
  if (code != SQLITE_OK) return SqliteError(handle, "open " + path);
  return database;
}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(path_, other.path_);
  return *this;
}

Database::~Database() { sqlite3_close_v2(handle_); }

Status Database::Execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return SqliteError(handle_, path_);
  }
  return Status();
}

Result<Statement> Database::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT,
                         &statement, nullptr) != SQLITE_OK) {
    return SqliteError(handle_, path_ + ": " + sql);
  }
  return Statement(statement);
}

Result<int64_t> Database::QueryInteger(const char* sql) {
  Result<Statement> statement = Prepare(sql);
  if (!statement) return statement.error();
  const Result<bool> row = statement->Step();
  if (!row) return row.error();
  if (!*row) return Error{Code::kNotFound, std::string("no rows: ") + sql};
  return statement->Integer(0);
}

Result<Transaction> Transaction::Begin(Database* database) {
  if (Status status = database->Execute("BEGIN IMMEDIATE"); !status) {
    return status.error();
  }
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // SQLite may have rolled back by itself, on a full disk for example.
  if (sqlite3_get_autocommit(database_->handle()) != 0) return;
  (void)database_->Execute("ROLLBACK");
}

Status Transaction::Commit() {
  Status status = database_->Execute("COMMIT");
  if (status) database_ = nullptr;
  return status;
}

}  // namespace vitrine::store
