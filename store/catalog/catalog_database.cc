#include "store/catalog/catalog_database.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "schema/base/unique_fd.h"
#include "schema/migrations.h"
#include "schema/sqlite/error.h"
#include "schema/sqlite/transaction.h"
#include "store/catalog/catalog_advice.h"
#include "store/catalog/catalog_files.h"

namespace vitrine::store {
namespace {

// A process that locks the database for a moment does not count.  Everything is
// tried again later.
constexpr int kOpenTimeoutMs = 1000;
constexpr int kBusyTimeoutMs = 100;

// Of the file ("Database File Format" of SQLite's documentation).
constexpr char kMagic[16] = "SQLite format 3";
constexpr size_t kApplicationIdOffset = 68;
// Of the log; its lowest bit says how checksums are made.
constexpr uint32_t kLogMagic = 0x377f0682;

constexpr size_t kHeaderBytes = 100;
using Header = std::array<unsigned char, kHeaderBytes>;

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
    return Error{Code::kAlreadyExists, "it is a database, but not a catalog"};
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
  // What is closed may be damaged: CatalogWriter moves the log itself.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
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

uint32_t BigEndian(const unsigned char* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
         uint32_t{bytes[2]} << 8 | bytes[3];
}

// The beginning of the file behind the pointer that `op` asks for; zeros where
// the file is shorter.  By SQLite's own descriptor: to close another one would
// drop its locks.
Result<Header> ReadHeader(sqlite3* database, int op) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(database, "main", op, &file);
  Header header{};
  if (file == nullptr || file->pMethods == nullptr) return header;
  const int code = file->pMethods->xRead(file, header.data(), kHeaderBytes, 0);
  if (code == SQLITE_OK || code == SQLITE_IOERR_SHORT_READ) return header;
  return Error{sqlite::CodeOf(code),
               std::string("read the header: ") + sqlite3_errstr(code)};
}

Status CheckDatabaseHeader(sqlite3* database) {
  const auto header = ReadHeader(database, SQLITE_FCNTL_FILE_POINTER);
  if (!header) return header.error();
  const uint32_t application = BigEndian(&(*header)[kApplicationIdOffset]);
  // Before the first checkpoint the id is in the log.
  const bool ours = application == 0 || application == kCatalogApplicationId;
  if (ours && std::memcmp(header->data(), kMagic, sizeof(kMagic)) == 0) {
    return Status();
  }
  return Error{Code::kCorruption, "its header was overwritten"};
}

Status CheckLogHeader(sqlite3* database) {
  sqlite3_file* file = nullptr;
  sqlite3_int64 size = 0;
  sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
  if (file == nullptr || file->pMethods == nullptr ||
      file->pMethods->xFileSize(file, &size) != SQLITE_OK || size == 0) {
    return Status();
  }
  const auto header = ReadHeader(database, SQLITE_FCNTL_JOURNAL_POINTER);
  if (!header) return header.error();
  if ((BigEndian(header->data()) & ~1U) == kLogMagic) return Status();
  return Error{Code::kCorruption, "its log was overwritten"};
}

}  // namespace

Result<sqlite::Database> OpenCatalogDatabase(
    const std::string& path, std::span<const char* const> migrations,
    mode_t mode) {
  Status status = PrepareCatalogFiles(path, mode);
  if (status) status = CheckNotLockedByOthers(path);
  if (!status) return status.error();
  auto database =
      sqlite::Database::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
  if (!database) return database.error();
  sqlite3_busy_timeout(database->handle(), kOpenTimeoutMs);
  status = CheckVersion(&*database, static_cast<int64_t>(migrations.size()));
  if (status) status = SetUp(&*database);
  if (status) status = Migrate(&*database, migrations);
  if (!status && status.error().code == Code::kInvalidArgument) {
    // The SQL is right, so the database is not as it should be.
    return Error{Code::kCorruption, status.error().message};
  }
  if (!status) return status.error();
  sqlite3_busy_timeout(database->handle(), kBusyTimeoutMs);
  return database;
}

Status CheckHeaders(const sqlite::Database& database) {
  Status status = CheckDatabaseHeader(database.handle());
  if (status) status = CheckLogHeader(database.handle());
  return status;
}

namespace {

// Its mode is right from the beginning, as SQLite writes to an empty file, too.
Status MakeEmpty(const std::string& path, mode_t mode) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("remove " + path, errno);
  }
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (fd.valid()) return Status();
  return ErrnoError("make " + path, errno);
}

Status VacuumInto(sqlite::Database* database, const std::string& path) {
  auto statement = database->Prepare("VACUUM INTO ?");
  if (!statement) return statement.error();
  return statement->Bind(path).Run();
}

}  // namespace

Status RestoreDeleted(sqlite::Database* database, mode_t mode) {
  const std::string& path = database->path();
  const std::string copy = RestoredCopyOf(path);
  Status status = MakeEmpty(copy, mode);
  if (status) status = VacuumInto(database, copy);
  if (status) status = RemoveLogOf(path);
  if (status && ::rename(copy.c_str(), path.c_str()) != 0) {
    status = ErrnoError("rename " + copy, errno);
  }
  if (!status) ::unlink(copy.c_str());
  return status;
}

}  // namespace vitrine::store
