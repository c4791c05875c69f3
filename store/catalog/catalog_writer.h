// Writes the catalog's database, and trims it.
//
// Invariant: every write is one transaction: readers see all of a batch or
// nothing.
#ifndef VITRINE_STORE_CATALOG_CATALOG_WRITER_H_
#define VITRINE_STORE_CATALOG_CATALOG_WRITER_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "schema/sqlite/database.h"
#include "store/base/live_objects.h"
#include "store/catalog/catalog_batch.h"
#include "store/catalog/catalog_checkpointer.h"
#include "store/catalog/catalog_files.h"
#include "store/catalog/catalog_statements.h"

namespace vitrine::store {

// Owns the connection.  One thread at a time.
class CatalogWriter {
 public:
  CatalogWriter(const std::string& state_dir, const CatalogLimits& limits,
                mode_t mode);
  CatalogWriter(const CatalogWriter&) = delete;
  CatalogWriter& operator=(const CatalogWriter&) = delete;
  // Moves the write-ahead log into the database.
  ~CatalogWriter();

  // --- the connection (catalog_writer_connection.cc) ---
  // Connects, unless it is connected to a database that is whole and has its
  // name.  A damaged one is set aside, and a new one begun.  An error: nothing
  // may be written or read now.
  Status Prepare();
  // Tells what came of a call of the functions below.  If the database cannot
  // be what it should, the next Prepare does something about it.
  void NoteFailure(const Error& error);
  // True once after Prepare has connected again: the database may have anything
  // or nothing of what was written.
  bool TakeReconnected() { return std::exchange(reconnected_, false); }
  // How many databases were set aside, and the name of the last.
  uint64_t times_damaged() const { return times_damaged_; }
  const std::string& set_aside() const { return set_aside_; }

  // Writes all of `batch`, or nothing.
  Status Write(const CatalogBatch& batch);

  // --- parts of reconciling (catalog_writer_reconcile.cc) ---
  // Marks all clients as disconnected.
  Status EndAllClients();
  // Writes those of `live` that differ from the database.
  Status WriteLive(std::span<const ObjectInfo> live);
  // The next `most` objects that are live in the database, from number `from`
  // on.
  Result<std::vector<KnownObject>> ReadLiving(uint64_t from, size_t most);
  // Marks objects as lost.  With `take_sequence` they were lost because the
  // store ended: an event is written for each, numbered from the return value
  // of `take_sequence`, which gets their number.  Null: they went while the
  // catalog was behind.
  using TakeSequence = std::function<int64_t(size_t count)>;
  Status WriteLost(std::span<const KnownObject> lost,
                   const TakeSequence& take_sequence);

  // Has a long write-ahead log moved into the database.
  void CheckpointIfLong();

  const std::string& path() const { return path_; }
  uint64_t wal_bytes() const { return wal_bytes_; }

 private:
  bool connected() const { return statements_.has_value(); }
  Status Connect();
  Status SetUpConnection();
  void Disconnect();
  // Looks at what others may have done to the files.
  Status CheckFiles();
  // Does what is needed if log or locks, or the database, were deleted or
  // replaced.
  Status ReopenMoved(const CatalogFiles& now);
  Status BeginAnew(const Error& why);

  // An error if the log is too long.
  Status CheckLog();
  // True if the whole log is in the database.
  bool Checkpoint(int mode);
  static int OnCommit(void* self, sqlite3* database, const char* name,
                      int log_pages);

  // The number that the database has for the `sequence`th event of this run.
  int64_t Number(int64_t sequence);
  // SQLite's integers are signed.
  static int64_t ToSql(uint64_t value);
  // Valid as long as the strings of `row` live.
  static void BindObject(const CatalogBatch::ObjectRow& row,
                         sqlite::Statement* statement);
  Status WriteObjects(const CatalogBatch& batch);
  Status WriteObject(const CatalogBatch::ObjectRow& row);
  Status WriteEvents(const CatalogBatch& batch);
  Status WriteUses(const CatalogBatch& batch);
  Status WriteClients(const CatalogBatch& batch);

  // Runs `write` in a transaction.
  Status Transact(const std::function<Status()>& write);
  // True if the database has `info`, which is live.
  Result<bool> Agrees(const ObjectInfo& info);
  Status MarkLost(std::span<const KnownObject> lost, int64_t sequence);

  // Deletes the oldest rows once there are clearly too many.
  Status Trim(CatalogHistory* history);
  Status TrimAll();
  // After a rollback the counts are unknown: the next Trim counts again.
  void ForgetCounts();

  const std::string path_;
  const CatalogLimits limits_;
  const mode_t mode_;
  uint64_t page_bytes_ = 0;
  uint64_t wal_bytes_ = 0;
  uint64_t checkpointed_wal_bytes_ = 0;  // Its length at the last checkpoint.
  int64_t earlier_events_ = 0;           // Of earlier runs.
  int64_t newest_event_ = 0;             // The highest Number().
  bool connected_before_ = false;
  bool reconnected_ = false;
  std::optional<Error> damage_;  // That a call found.
  uint64_t times_damaged_ = 0;
  std::string set_aside_;

  CatalogFiles files_;  // To which it is connected.
  sqlite::Database database_;
  std::unique_ptr<CatalogCheckpointer> checkpointer_;
  // After `database_`, so that they are destroyed first.
  std::optional<CatalogStatements> statements_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_WRITER_H_
