#include "schema/sqlite/database.h"

#include "schema/sqlite/error.h"

namespace vitrine::sqlite {
namespace {

// As a URI, with everything escaped that has a meaning there.
std::string FileUri(const std::string& path) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        byte > 0x20 && byte < 0x7f && c != '%' && c != '?' && c != '#';
    if (plain) {
      uri += c;
    } else {
      uri += {'%', kDigits[byte >> 4], kDigits[byte & 0xf]};
    }
  }
  return uri;
}

}  // namespace

Result<Database> Database::Open(const std::string& path, int flags) {
  return OpenNamed(path, path, flags);
}

Result<Database> Database::OpenImmutable(const std::string& path) {
  return OpenNamed(FileUri(path) + "?immutable=1", path,
                   SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

Result<Database> Database::OpenNamed(const std::string& name,
                                     const std::string& path, int flags) {
  // Nobody asks for its statistics, for which each allocation takes a lock.
  [[maybe_unused]] static const int configured =
      sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &handle,
                                   flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle, path);  // Even a failed open needs a close.
  if (handle == nullptr) {
    return Error{Code::kOutOfMemory, "open " + path + ": out of memory"};
  }
  sqlite3_extended_result_codes(handle, 1);
  if (code != SQLITE_OK) return LastError(handle, "open " + path);
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
    return LastError(handle_, path_);
  }
  return Status();
}

Result<Statement> Database::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT,
                         &statement, nullptr) != SQLITE_OK) {
    return LastError(handle_, path_ + ": " + sql);
  }
  return Statement(statement);
}

Result<Statement> Database::PrepareFirst(const char** sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, *sql, -1, 0, &statement, sql) != SQLITE_OK) {
    return LastError(handle_, path_);
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

}  // namespace vitrine::sqlite
