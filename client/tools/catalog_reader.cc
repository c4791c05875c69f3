#include "client/tools/catalog_reader.h"

#include <unistd.h>

#include <cerrno>

namespace vitrine::tools {
namespace {

constexpr int kBusyTimeoutMs = 5000;

// sqlite3's read-only mode still lets ATTACH open, and VACUUM INTO write,
// other files.
int Authorize(void*, int action, const char*, const char* second, const char*,
              const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return std::string("load_extension") == (second ? second : "")
                 ? SQLITE_DENY
                 : SQLITE_OK;
    case SQLITE_PRAGMA:
      return SQLITE_OK;  // Those that write fail in a read-only database.
    default:
      return SQLITE_DENY;
  }
}

// The first read shows whether it is a database that can be read.
Result<sqlite::Database> Checked(Result<sqlite::Database> database) {
  if (!database) return database;
  sqlite3_busy_timeout(database->handle(), kBusyTimeoutMs);
  const Status read = database->Execute("SELECT 1 FROM sqlite_schema LIMIT 1");
  if (!read) return read.error();
  sqlite3_set_authorizer(database->handle(), Authorize, nullptr);
  return database;
}

std::vector<std::string> ColumnNames(const sqlite::Statement& statement) {
  std::vector<std::string> names;
  for (int i = 0; i < statement.columns(); ++i) {
    names.push_back(statement.Name(i));
  }
  return names;
}

Status PassRows(sqlite::Statement& statement, RowSink& sink) {
  const std::vector<std::string> names = ColumnNames(statement);
  if (!names.empty()) sink.Begin(names);
  std::vector<sqlite::Value> values(names.size());
  for (;;) {
    const Result<bool> row = statement.Step();
    if (!row) return row.error();
    if (!*row) return {};
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = statement.ValueOf(static_cast<int>(i));
    }
    sink.Row(values);
  }
}

}  // namespace

Result<CatalogReader> CatalogReader::Open(const std::string& state_dir) {
  const std::string path = state_dir + "/catalog.db";
  if (::access(path.c_str(), R_OK) != 0) {
    const Code code = errno == ENOENT || errno == ENOTDIR ? Code::kNotFound
                      : errno == EACCES ? Code::kPermissionDenied
                                        : Code::kIoError;
    const std::string remedy =
        code == Code::kPermissionDenied
            ? "; ask as the store's user, or start it with --catalog-mode"
            : "";
    return Error{code, ErrnoError(path, errno).message + remedy};
  }
  auto database = Checked(sqlite::Database::Open(path, SQLITE_OPEN_READONLY));
  // Beside a catalog that no store has open, sqlite3 wants to make a -shm
  // file.  Where it may not, nobody else can be writing either.
  const bool at_rest = ::access((path + "-wal").c_str(), F_OK) != 0;
  const bool cannot_write = ::access(state_dir.c_str(), W_OK) != 0;
  if (!database && at_rest && cannot_write) {
    database = Checked(sqlite::Database::OpenImmutable(path));
  }
  if (!database) return database.error();
  return CatalogReader(*std::move(database));
}

Status CatalogReader::Query(const std::string& sql, RowSink& sink) {
  const char* rest = sql.c_str();
  bool any = false;
  while (*rest != '\0') {
    Result<sqlite::Statement> statement = database_.PrepareFirst(&rest);
    if (!statement) return statement.error();
    if (statement->empty()) continue;
    any = true;
    if (statement->writes()) {
      return Error{Code::kNotPermitted, "the catalog is read-only"};
    }
    if (Status status = PassRows(*statement, sink); !status) return status;
  }
  if (!any) return Error{Code::kInvalidArgument, "there is no SQL in it"};
  return {};
}

}  // namespace vitrine::tools
