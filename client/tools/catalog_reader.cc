#include "client/tools/catalog_reader.h"

#include <sqlite3.h>
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

Code CodeOf(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return Code::kCorruption;
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return Code::kNotPermitted;
    case SQLITE_PERM:
      return Code::kPermissionDenied;
    case SQLITE_ERROR:
      return Code::kInvalidArgument;
    case SQLITE_NOMEM:
      return Code::kOutOfMemory;
    default:
      return Code::kIoError;
  }
}

// Everything that has a meaning in a URI, escaped.
std::string UriPath(const std::string& path) {
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

SqlValue ColumnValue(sqlite3_stmt* statement, int column) {
  switch (::sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return std::monostate();
    case SQLITE_INTEGER:
      return int64_t{::sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT:
      return ::sqlite3_column_double(statement, column);
    default:
      break;
  }
  const bool blob = ::sqlite3_column_type(statement, column) == SQLITE_BLOB;
  const auto* data =
      static_cast<const char*>(::sqlite3_column_blob(statement, column));
  const auto size =
      static_cast<size_t>(::sqlite3_column_bytes(statement, column));
  std::string bytes = data == nullptr ? std::string() : std::string(data, size);
  if (blob) return Blob{std::move(bytes)};
  return bytes;
}

}  // namespace

void CatalogReader::Close::operator()(sqlite3* database) const {
  ::sqlite3_close_v2(database);
}

void CatalogReader::Finalize::operator()(sqlite3_stmt* statement) const {
  ::sqlite3_finalize(statement);
}

Result<CatalogReader::Database> CatalogReader::OpenUri(const std::string& uri) {
  sqlite3* raw = nullptr;
  const int code = ::sqlite3_open_v2(
      uri.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) {
    return Error{CodeOf(code), raw == nullptr ? ::sqlite3_errstr(code)
                                              : ::sqlite3_errmsg(raw)};
  }
  ::sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  // The first read shows whether it is a database that can be read.
  const int first = ::sqlite3_exec(raw, "SELECT 1 FROM sqlite_schema LIMIT 1",
                                   nullptr, nullptr, nullptr);
  if (first != SQLITE_OK) return Error{CodeOf(first), ::sqlite3_errmsg(raw)};
  ::sqlite3_set_authorizer(raw, Authorize, nullptr);
  return database;
}

Result<CatalogReader> CatalogReader::Open(const std::string& state_dir) {
  const std::string path = state_dir + "/catalog.db";
  if (::access(path.c_str(), R_OK) != 0) {
    const Code code = errno == ENOENT || errno == ENOTDIR ? Code::kNotFound
                      : errno == EACCES ? Code::kPermissionDenied
                                        : Code::kIoError;
    return Error{code, ErrnoError(path, errno).message};
  }
  auto database = OpenUri(UriPath(path));
  // Beside a catalog that no store has open, sqlite3 wants to make a -shm
  // file.  Where it may not, nobody else can be writing either.
  const bool at_rest = ::access((path + "-wal").c_str(), F_OK) != 0;
  const bool cannot_write = ::access(state_dir.c_str(), W_OK) != 0;
  if (!database && at_rest && cannot_write) {
    database = OpenUri(UriPath(path) + "?immutable=1");
  }
  if (!database) {
    return Error{database.error().code, path + ": " + database.error().message};
  }
  return CatalogReader(std::move(*database));
}

Error CatalogReader::SqlError() const {
  return {CodeOf(::sqlite3_extended_errcode(database_.get())),
          ::sqlite3_errmsg(database_.get())};
}

Status CatalogReader::Query(const std::string& sql, RowSink& sink) {
  const char* rest = sql.c_str();
  bool any = false;
  while (*rest != '\0') {
    sqlite3_stmt* raw = nullptr;
    if (::sqlite3_prepare_v2(database_.get(), rest, -1, &raw, &rest) !=
        SQLITE_OK) {
      return SqlError();
    }
    const Statement statement(raw);
    if (raw == nullptr) continue;  // White space or a comment.
    any = true;
    if (::sqlite3_stmt_readonly(raw) == 0) {
      return Error{Code::kNotPermitted, "the catalog is read-only"};
    }
    if (Status status = Run(raw, sink); !status) return status;
  }
  if (!any) return Error{Code::kInvalidArgument, "there is no SQL in it"};
  return {};
}

Status CatalogReader::Run(sqlite3_stmt* statement, RowSink& sink) {
  const int columns = ::sqlite3_column_count(statement);
  std::vector<std::string> names;
  for (int i = 0; i < columns; ++i) {
    const char* name = ::sqlite3_column_name(statement, i);
    names.emplace_back(name == nullptr ? "" : name);
  }
  if (columns > 0) sink.Begin(names);
  std::vector<SqlValue> values(names.size());
  int code;
  while ((code = ::sqlite3_step(statement)) == SQLITE_ROW) {
    for (int i = 0; i < columns; ++i) {
      values[static_cast<size_t>(i)] = ColumnValue(statement, i);
    }
    sink.Row(values);
  }
  if (code != SQLITE_DONE) return SqlError();
  return {};
}

}  // namespace vitrine::tools
