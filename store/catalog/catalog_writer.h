// The catalog's database: opens, migrates, writes and trims it.
//
// Invariants:
//  (1) Every write is one transaction: readers see all of a batch or nothing.
//  (2) Every user who may enter the state directory may read the database:
//  while
//      the store runs, after a clean stop, and after a crash.
#ifndef VITRINE_STORE_CATALOG_CATALOG_WRITER_H_
#define VITRINE_STORE_CATALOG_CATALOG_WRITER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "schema/sqlite/database.h"
#include "store/base/live_objects.h"
#include "store/catalog/catalog_batch.h"
#include "store/catalog/catalog_checkpointer.h"

namespace vitrine::store {

// Owns the connection.  One thread at a time.
class CatalogWriter {
 public:
  // As Catalog::Open.
  static Result<std::unique_ptr<CatalogWriter>> Open(
      const std::string& state_dir, const CatalogLimits& limits);
  CatalogWriter(const CatalogWriter&) = delete;
  CatalogWriter& operator=(const CatalogWriter&) = delete;
  // Moves the write-ahead log into the database.
  ~CatalogWriter();

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

  // The sequence number after the last one in the database.
  Result<int64_t> ReadNextSequence();
  const std::string& path() const { return path_; }
  // Of the schema.
  int version() const { return version_; }
  uint64_t wal_bytes() const { return wal_bytes_; }

 private:
  CatalogWriter(std::string path, const CatalogLimits& limits)
      : path_(std::move(path)), limits_(limits) {}

  Status Connect();
  Status PrepareStatements();
  // An error if writing now would do harm.
  Status CheckWritable();
  // True if the whole log is in the database.
  bool Checkpoint(int mode);
  static int OnCommit(void* self, sqlite3* database, const char* name,
                      int log_pages);

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

  // History of one kind: counted by `count_sql`, its oldest rows deleted by
  // `trim`.  `rows` is an upper bound of their number.
  struct History {
    const char* count_sql = nullptr;
    sqlite::Statement trim;
    int64_t rows = 0;
  };
  // Deletes the oldest rows once there are clearly too many.
  Status Trim(History* history);
  Status TrimAll();
  // After a rollback the counts are unknown: the next Trim counts again.
  void ForgetCounts();

  const std::string path_;
  const CatalogLimits limits_;
  int version_ = 0;
  uint64_t page_bytes_ = 0;
  uint64_t wal_bytes_ = 0;
  uint64_t checkpointed_wal_bytes_ = 0;  // Its length at the last checkpoint.

  sqlite::Database database_;
  std::unique_ptr<CatalogCheckpointer> checkpointer_;
  // After `database_`, so that they are destroyed first.
  sqlite::Statement put_object_;
  sqlite::Statement put_event_;
  sqlite::Statement put_uses_;
  sqlite::Statement put_client_;
  sqlite::Statement end_client_;
  sqlite::Statement select_object_;
  sqlite::Statement select_living_;
  History gone_objects_;
  History events_;
  History left_clients_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_WRITER_H_
