// The connection of a CatalogWriter: made, checked, and made anew.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "schema/migrations.h"
#include "store/catalog/catalog_database.h"
#include "store/catalog/catalog_writer.h"

namespace vitrine::store {
namespace {

constexpr char kNewestEvent[] = "SELECT coalesce(max(sequence), 0) FROM events";

// Our SQL is right: a catalog that does not take it has lost its tables.
Error OfOurSql(const Error& error) {
  if (error.code != Code::kInvalidArgument) return error;
  return {Code::kCorruption, error.message};
}

}  // namespace

CatalogWriter::CatalogWriter(const std::string& state_dir,
                             const CatalogLimits& limits, mode_t mode)
    : path_(state_dir + "/catalog.db"), limits_(limits), mode_(mode) {}

CatalogWriter::~CatalogWriter() {
  checkpointer_.reset();
  // The log does not belong in what somebody wrote over the file.
  if (connected() && CatalogFiles::At(path_) == files_ &&
      CheckHeaders(database_)) {
    Checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  }
}

Status CatalogWriter::Prepare() {
  Status status = connected() ? CheckFiles() : Status();
  if (status && !connected()) status = Connect();
  if (!status && status.error().code == Code::kCorruption) {
    status = BeginAnew(status.error());
  }
  return status;
}

void CatalogWriter::NoteFailure(const Error& error) {
  const Error found = OfOurSql(error);
  if (connected() && found.code == Code::kCorruption) damage_ = found;
}

Status CatalogWriter::CheckFiles() {
  if (damage_) return *damage_;
  const CatalogFiles now = CatalogFiles::At(path_);
  if (now != files_) return ReopenMoved(now);
  return CheckHeaders(database_);
}

Status CatalogWriter::ReopenMoved(const CatalogFiles& now) {
  if (now.locks_cut) {
    Disconnect();  // Touches no lock.
    return RemoveLocksOf(path_);
  }
  if (now.database == files_.database) {
    // The rest of the log must be in the database before another one begins.
    if (!Checkpoint(SQLITE_CHECKPOINT_TRUNCATE)) {
      return Error{Code::kUnavailable,
                   path_ + ": its log was deleted while somebody reads it"};
    }
  } else if (!now.database.exists()) {
    if (Status status = RestoreDeleted(&database_, mode_); !status) {
      return status;
    }
    spdlog::warn("the catalog {} was deleted and is there again", path_);
  } else {
    spdlog::warn("the catalog {} was replaced by another file", path_);
  }
  Disconnect();
  // Without locks of others, SQLite makes both anew.  A restored database has
  // none.
  return RemoveLogOf(path_);
}

Status CatalogWriter::BeginAnew(const Error& why) {
  Disconnect();
  auto name = SetCatalogAside(path_);
  if (!name) return name.error();
  set_aside_ = *std::move(name);
  ++times_damaged_;
  spdlog::error(
      "the catalog {} was damaged ({}); it is {} now, and a new one is filled "
      "from the objects in memory, without their history",
      path_, why.message, set_aside_);
  return Connect();
}

Status CatalogWriter::Connect() {
  auto database = OpenCatalogDatabase(path_, CatalogMigrations(), mode_);
  if (!database) return database.error();
  database_ = *std::move(database);
  Status status = SetUpConnection();
  if (!status) {
    Disconnect();
    return OfOurSql(status.error());
  }
  reconnected_ = std::exchange(connected_before_, true);
  return status;
}

Status CatalogWriter::SetUpConnection() {
  auto checkpointer = CatalogCheckpointer::Start(path_);
  if (!checkpointer) return checkpointer.error();
  checkpointer_ = *std::move(checkpointer);
  const auto page_bytes = database_.QueryInteger("PRAGMA page_size");
  if (!page_bytes) return page_bytes.error();
  page_bytes_ = static_cast<uint64_t>(*page_bytes);
  const auto newest = database_.QueryInteger(kNewestEvent);
  if (!newest) return newest.error();
  earlier_events_ += std::max<int64_t>(0, *newest - newest_event_);
  newest_event_ = std::max(newest_event_, *newest);
  auto statements = CatalogStatements::Prepare(&database_);
  if (!statements) return statements.error();
  statements_ = *std::move(statements);
  ForgetCounts();
  wal_bytes_ = checkpointed_wal_bytes_ = 0;
  sqlite3_wal_hook(database_.handle(), &CatalogWriter::OnCommit, this);
  files_ = CatalogFiles::At(path_);
  return Status();
}

void CatalogWriter::Disconnect() {
  statements_.reset();
  checkpointer_.reset();
  database_ = sqlite::Database();
  damage_.reset();
}

}  // namespace vitrine::store
