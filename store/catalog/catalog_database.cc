#include "store/catalog/catalog_database.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "schema/base/unique_fd.h"
#include "schema/migrations.h"
#include "schema/sqlite/transaction.h"

namespace vitrine::store {
namespace {

constexpr mode_t kMode = 0644;
// A process that locks the database for a moment must not keep the store from
// starting.  (Later writes are simply tried again.)
constexpr int kOpenTimeoutMs = 5000;
constexpr int kBusyTimeoutMs = 100;

// NORMAL: only a checkpoint waits for the disk.  A crash of the host loses the
// newest commits but never the database.  The writer requests checkpoints
// itself.  The log is cut back to 64 MiB when it begins anew.
constexpr char kPragmas[] =
    "PRAGMA synchronous = NORMAL;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -8192;"
    "PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA journal_size_limit = 67108864;"
    "PRAGMA trusted_schema = OFF;";

// SQLite gives its log and shared memory the mode of the database, so the mode
// is set before SQLite opens the file.
Status PrepareFile(const std::string& path) {
  const UniqueFd fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, kMode));
  if (!fd.valid()) return ErrnoError("open the catalog " + path, errno);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) {
    return ErrnoError("stat the catalog " + path, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return Error{Code::kInvalidArgument, path + " is not a regular file"};
  }
  if ((info.st_mode & 0777) != kMode && ::fchmod(fd.get(), kMode) != 0) {
    return ErrnoError("make the catalog " + path + " readable", errno);
  }
  return Status();
}

// Checks that the database is a catalog, before anything is written to it.
Status CheckVersion(sqlite::Database* database, int64_t newest) {
  const auto application = database->QueryInteger("PRAGMA application_id");
  if (!application) return application.error();
  const auto version = database->QueryInteger("PRAGMA user_version");
  if (!version) return version.error();
  const auto tables =
      database->QueryInteger("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  const bool fresh = *version == 0 && *tables == 0;
  if (!fresh && *application != kCatalogApplicationId) {
    return Error{Code::kCorruption, "it is a database, but not a catalog"};
  }
  if (*version < 0) {
    return Error{Code::kCorruption,
                 "it has version " + std::to_string(*version)};
  }
  if (*version > newest) {
    return Error{Code::kVersionMismatch,
                 "it has version " + std::to_string(*version) +
                     "; this program knows versions up to " +
                     std::to_string(newest)};
  }
  return Status();
}

Status UseWriteAheadLog(sqlite::Database* database) {
  auto statement = database->Prepare("PRAGMA journal_mode = WAL");
  if (!statement) return statement.error();
  const auto row = statement->Step();
  if (!row) return row.error();
  if (!*row || statement->Text(0) != "wal") {
    return Error{
        Code::kUnsupported,
        database->path() + ": its file system has no shared memory for SQLite"};
  }
  return Status();
}

Status SetUp(sqlite::Database* database) {
  sqlite3* handle = database->handle();
  // By default SQLite deletes the log at the end.  Without the log, a reader
  // who may not write to the directory could not open the database.
  int persist = 1;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  if (Status status = UseWriteAheadLog(database); !status) return status;
  return database->Execute(kPragmas);
}

Status Migrate(sqlite::Database* database,
               std::span<const char* const> migrations) {
  auto version = database->QueryInteger("PRAGMA user_version");
  if (!version) return version.error();
  for (auto next = static_cast<size_t>(*version); next < migrations.size();
       ++next) {
    auto transaction = sqlite::Transaction::Begin(database);
    if (!transaction) return transaction.error();
    const std::string mark =
        "PRAGMA application_id = " + std::to_string(kCatalogApplicationId) +
        "; PRAGMA user_version = " + std::to_string(next + 1);
    for (const char* sql : {migrations[next], mark.c_str()}) {
      if (Status status = database->Execute(sql); !status) return status;
    }
    if (Status status = transaction->Commit(); !status) return status;
  }
  return Status();
}

Error WithAdvice(Error error, const std::string& path) {
  if (error.code == Code::kCorruption) {
    error.message += "; move " + path + "* away to begin a new catalog";
  }
  return error;
}

}  // namespace

Result<sqlite::Database> OpenCatalogDatabase(
    const std::string& path, std::span<const char* const> migrations) {
  if (Status status = PrepareFile(path); !status) return status.error();
  auto database =
      sqlite::Database::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
  if (!database) return database.error();
  sqlite3_busy_timeout(database->handle(), kOpenTimeoutMs);
  Status status =
      CheckVersion(&*database, static_cast<int64_t>(migrations.size()));
  if (status) status = SetUp(&*database);
  if (status) status = Migrate(&*database, migrations);
  if (!status) return WithAdvice(status.error(), path);
  sqlite3_busy_timeout(database->handle(), kBusyTimeoutMs);
  return database;
}

bool IsDeleted(const sqlite::Database& database) {
  int moved = 0;
  const int code = sqlite3_file_control(database.handle(), "main",
                                        SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

Status RestoreDeleted(sqlite::Database* database) {
  const std::string& path = database->path();
  if (::access(path.c_str(), F_OK) == 0) {
    return Error{Code::kUnavailable,
                 path + " was replaced while the store runs"};
  }
  // SQLite would take an old log for the new file's.
  for (const char* suffix : {"-wal", "-shm"}) {
    if (::unlink((path + suffix).c_str()) != 0 && errno != ENOENT) {
      return ErrnoError("remove " + path + suffix, errno);
    }
  }
  // The copy has another name until it is whole.
  const std::string copy = path + ".restored";
  if (::unlink(copy.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("remove " + copy, errno);
  }
  auto statement = database->Prepare("VACUUM INTO ?");
  if (!statement) return statement.error();
  if (Status status = statement->Bind(copy).Run(); !status) return status;
  if (::rename(copy.c_str(), path.c_str()) != 0) {
    return ErrnoError("rename " + copy, errno);
  }
  return Status();
}

}  // namespace vitrine::store
