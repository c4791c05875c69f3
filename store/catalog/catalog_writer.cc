#include "store/catalog/catalog_writer.h"

#include <algorithm>
#include <limits>

#include "schema/migrations.h"
#include "schema/sqlite/transaction.h"
#include "store/catalog/catalog_database.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kCheckpointStepBytes = 16 << 20;
// Beyond this size a checkpoint waits for readers, for a moment.
constexpr uint64_t kLongWalBytes = 4 * kCheckpointStepBytes;

constexpr char kPutObject[] =
    "INSERT INTO objects (number, id, state, tier, segment, offset_bytes,"
    " size_bytes, charged_bytes, mode, uid, gid, creator_pid, created_ns,"
    " modified_ns, sealed_ns, used_ns, use_count, hold, gone_ns, gone_reason)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT (number) DO UPDATE SET"
    " id = excluded.id, state = excluded.state, tier = excluded.tier,"
    " segment = excluded.segment, offset_bytes = excluded.offset_bytes,"
    " size_bytes = excluded.size_bytes,"
    " charged_bytes = excluded.charged_bytes, mode = excluded.mode,"
    " uid = excluded.uid, gid = excluded.gid,"
    " creator_pid = excluded.creator_pid, created_ns = excluded.created_ns,"
    " modified_ns = excluded.modified_ns, sealed_ns = excluded.sealed_ns,"
    " used_ns = excluded.used_ns, use_count = excluded.use_count,"
    " hold = excluded.hold, gone_ns = excluded.gone_ns,"
    " gone_reason = excluded.gone_reason";
constexpr char kPutEvent[] =
    "INSERT OR REPLACE INTO events (sequence, time_ns, kind, object, id,"
    " size_bytes, reason) VALUES (?,?,?,?,?,?,?)";
constexpr char kPutUses[] =
    "UPDATE objects SET used_ns = max(coalesce(used_ns, 0), ?),"
    " use_count = max(use_count, ?) WHERE number = ? AND gone_ns IS NULL";
constexpr char kPutClient[] =
    "INSERT INTO clients (id, name, pid, uid, connected_ns, disconnected_ns)"
    " VALUES (?,?,?,?,?,?)";
constexpr char kEndClient[] =
    "UPDATE clients SET disconnected_ns = ?"
    " WHERE id = ? AND disconnected_ns IS NULL";
constexpr char kSelectObject[] =
    "SELECT id, state, segment, offset_bytes, mode, uid, gid, size_bytes,"
    " sealed_ns, hold FROM objects WHERE number = ? AND gone_ns IS NULL";
constexpr char kSelectLiving[] =
    "SELECT number, id FROM objects WHERE number >= ? AND gone_ns IS NULL"
    " ORDER BY number LIMIT ?";
constexpr char kCountGone[] =
    "SELECT count(*) FROM objects WHERE gone_ns IS NOT NULL";
constexpr char kTrimGone[] =
    "DELETE FROM objects WHERE number IN (SELECT number FROM objects"
    " WHERE gone_ns IS NOT NULL ORDER BY gone_ns LIMIT ?)";
constexpr char kCountEvents[] = "SELECT count(*) FROM events";
constexpr char kTrimEvents[] =
    "DELETE FROM events WHERE sequence <"
    " (SELECT sequence FROM events ORDER BY sequence LIMIT 1 OFFSET ?)";
constexpr char kCountLeft[] =
    "SELECT count(*) FROM clients WHERE disconnected_ns IS NOT NULL";
constexpr char kTrimLeft[] =
    "DELETE FROM clients WHERE connection IN (SELECT connection FROM clients"
    " WHERE disconnected_ns IS NOT NULL ORDER BY connection LIMIT ?)";

struct Fate {
  const char* state;
  const char* reason;
};

Fate FateOf(const CatalogBatch::ObjectRow& row) {
  switch (row.last) {
    case ObjectEventKind::kAborted:
      return {"aborted", "given up, or its creator left"};
    case ObjectEventKind::kDeleted:
      return {"deleted", "deleted by its owner or root"};
    case ObjectEventKind::kEvicted:
      return {"evicted", "its memory was needed"};
    default:
      break;
  }
  const bool sealed = row.info.state == ObjectState::kSealed;
  return {sealed ? "sealed" : "unsealed", ""};
}

const char* KindName(const CatalogBatch::EventRow& row) {
  switch (row.kind) {
    case ObjectEventKind::kCreated:
      return "created";
    case ObjectEventKind::kSealed:
      return "sealed";
    case ObjectEventKind::kAborted:
      return "aborted";
    case ObjectEventKind::kDeleted:
      return "deleted";
    case ObjectEventKind::kEvicted:
      return "evicted";
    case ObjectEventKind::kHoldChanged:
      return row.hold ? "held" : "unheld";
    case ObjectEventKind::kMoved:
      return "moved";
    case ObjectEventKind::kRenamed:
      return "renamed";
  }
  return "unknown";
}

// In the order of their numbers, so that neighbours share pages.
template <typename Map>
std::vector<const typename Map::value_type*> Sorted(const Map& map) {
  std::vector<const typename Map::value_type*> entries;
  entries.reserve(map.size());
  for (const auto& entry : map) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  return entries;
}

}  // namespace

Result<std::unique_ptr<CatalogWriter>> CatalogWriter::Open(
    const std::string& state_dir, const CatalogLimits& limits) {
  std::unique_ptr<CatalogWriter> writer(
      new CatalogWriter(state_dir + "/catalog.db", limits));
  if (Status status = writer->Connect(); !status) return status.error();
  return writer;
}

CatalogWriter::~CatalogWriter() {
  checkpointer_.reset();
  if (database_.handle() != nullptr) Checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
}

Status CatalogWriter::Connect() {
  auto database = OpenCatalogDatabase(path_, CatalogMigrations());
  if (!database) return database.error();
  auto checkpointer = CatalogCheckpointer::Start(path_);
  if (!checkpointer) return checkpointer.error();
  checkpointer_ = *std::move(checkpointer);
  database_ = *std::move(database);
  version_ = static_cast<int>(CatalogMigrations().size());
  const auto page_bytes = database_.QueryInteger("PRAGMA page_size");
  if (!page_bytes) return page_bytes.error();
  page_bytes_ = static_cast<uint64_t>(*page_bytes);
  wal_bytes_ = 0;
  sqlite3_wal_hook(database_.handle(), &CatalogWriter::OnCommit, this);
  ForgetCounts();
  return PrepareStatements();
}

Status CatalogWriter::PrepareStatements() {
  const std::pair<const char*, sqlite::Statement*> statements[] = {
      {kPutObject, &put_object_},       {kPutEvent, &put_event_},
      {kPutUses, &put_uses_},           {kPutClient, &put_client_},
      {kEndClient, &end_client_},       {kTrimGone, &gone_objects_.trim},
      {kSelectObject, &select_object_}, {kSelectLiving, &select_living_},
      {kTrimEvents, &events_.trim},     {kTrimLeft, &left_clients_.trim}};
  for (const auto& [sql, statement] : statements) {
    auto prepared = database_.Prepare(sql);
    if (!prepared) return prepared.error();
    *statement = *std::move(prepared);
  }
  gone_objects_.count_sql = kCountGone;
  events_.count_sql = kCountEvents;
  left_clients_.count_sql = kCountLeft;
  return Status();
}

int CatalogWriter::OnCommit(void* self, sqlite3* /*database*/,
                            const char* /*name*/, int log_pages) {
  auto* writer = static_cast<CatalogWriter*>(self);
  writer->wal_bytes_ = static_cast<uint64_t>(log_pages) * writer->page_bytes_;
  return SQLITE_OK;
}

Result<int64_t> CatalogWriter::ReadNextSequence() {
  return database_.QueryInteger(
      "SELECT coalesce(max(sequence), 0) + 1 FROM events");
}

Status CatalogWriter::CheckWritable() {
  if (IsDeleted(database_)) {
    if (Status status = RestoreDeleted(&database_); !status) return status;
    if (Status status = Connect(); !status) return status;
  }
  if (wal_bytes_ <= limits_.wal_bytes) return Status();
  if (Checkpoint(SQLITE_CHECKPOINT_TRUNCATE)) return Status();
  return Error{Code::kUnavailable,
               path_ + ": a reader keeps a write-ahead log of " +
                   std::to_string(wal_bytes_) + " bytes alive"};
}

bool CatalogWriter::Checkpoint(int mode) {
  int log_pages = 0;
  int done_pages = 0;
  const int code = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, mode,
                                             &log_pages, &done_pages);
  if (code != SQLITE_OK || log_pages != done_pages) return false;
  if (mode == SQLITE_CHECKPOINT_TRUNCATE) wal_bytes_ = 0;
  return true;
}

void CatalogWriter::CheckpointIfLong() {
  if (wal_bytes_ < checkpointed_wal_bytes_) checkpointed_wal_bytes_ = 0;
  if (checkpointer_->TakeDone()) {
    // Moves the little that came meanwhile, so that the log can begin anew.  If
    // readers prevent that, the next attempt is made when the log has grown.
    Checkpoint(wal_bytes_ < kLongWalBytes ? SQLITE_CHECKPOINT_PASSIVE
                                          : SQLITE_CHECKPOINT_RESTART);
    checkpointed_wal_bytes_ = wal_bytes_;
  } else if (wal_bytes_ - checkpointed_wal_bytes_ >= kCheckpointStepBytes) {
    checkpointer_->Request();
  }
}

Status CatalogWriter::Write(const CatalogBatch& batch) {
  if (batch.empty()) return Status();
  return Transact([&] {
    Status status = WriteObjects(batch);
    if (status) status = WriteEvents(batch);
    if (status) status = WriteUses(batch);
    if (status) status = WriteClients(batch);
    return status;
  });
}

Status CatalogWriter::Transact(const std::function<Status()>& write) {
  if (Status status = CheckWritable(); !status) return status;
  auto transaction = sqlite::Transaction::Begin(&database_);
  if (!transaction) return transaction.error();
  Status status = write();
  if (status) status = TrimAll();
  if (status) status = transaction->Commit();
  if (!status) ForgetCounts();
  return status;
}

int64_t CatalogWriter::ToSql(uint64_t value) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(std::min(value, kMax));
}

void CatalogWriter::BindObject(const CatalogBatch::ObjectRow& row,
                               sqlite::Statement* statement) {
  const ObjectInfo& info = row.info;
  const Fate fate = FateOf(row);
  statement->Bind(ToSql(info.number)).Bind(info.id.text()).Bind(fate.state);
  if (row.gone_ns == 0) {
    statement->Bind("memory")
        .Bind(ToSql(info.segment()))
        .Bind(ToSql(info.offset_bytes));
  } else {
    statement->BindNull().BindNull().BindNull();
  }
  statement->Bind(ToSql(info.size_bytes))
      .Bind(ToSql(info.charged_bytes))
      .Bind(info.mode)
      .Bind(info.uid)
      .Bind(info.gid)
      .BindUnlessZero(info.creator_pid)
      .BindUnlessZero(info.created_ns)
      .BindUnlessZero(info.modified_ns)
      .BindUnlessZero(info.sealed_ns)
      .BindUnlessZero(info.used_ns)
      .Bind(ToSql(info.use_count))
      .Bind(info.hold ? 1 : 0)
      .BindUnlessZero(row.gone_ns);
  if (row.gone_ns == 0) {
    statement->BindNull();
  } else {
    statement->Bind(fate.reason);
  }
}

Status CatalogWriter::WriteObjects(const CatalogBatch& batch) {
  for (const auto* entry : Sorted(batch.objects())) {
    if (Status status = WriteObject(entry->second); !status) return status;
  }
  return Status();
}

Status CatalogWriter::WriteObject(const CatalogBatch::ObjectRow& row) {
  BindObject(row, &put_object_);
  if (row.gone_ns != 0) ++gone_objects_.rows;
  return put_object_.Run();
}

Status CatalogWriter::WriteEvents(const CatalogBatch& batch) {
  std::string reason;
  for (const CatalogBatch::EventRow& row : batch.events()) {
    put_event_.Bind(row.sequence)
        .Bind(row.time_ns)
        .Bind(KindName(row))
        .Bind(ToSql(row.number))
        .Bind(row.id.text())
        .Bind(ToSql(row.size_bytes));
    if (row.old_id) {
      reason = "was " + row.old_id->text();
      put_event_.Bind(reason);
    } else {
      put_event_.BindNull();
    }
    if (Status status = put_event_.Run(); !status) return status;
    ++events_.rows;
  }
  return Status();
}

Status CatalogWriter::WriteUses(const CatalogBatch& batch) {
  for (const auto* entry : Sorted(batch.uses())) {
    put_uses_.Bind(entry->second.used_ns)
        .Bind(ToSql(entry->second.use_count))
        .Bind(ToSql(entry->first));
    if (Status status = put_uses_.Run(); !status) return status;
  }
  return Status();
}

Status CatalogWriter::WriteClients(const CatalogBatch& batch) {
  for (const auto* entry : Sorted(batch.clients())) {
    const CatalogBatch::ClientRow& row = entry->second;
    sqlite::Statement* statement = &put_client_;
    if (row.connected_ns != 0) {
      statement->Bind(ToSql(entry->first))
          .Bind(row.name)
          .Bind(row.pid)
          .Bind(row.uid)
          .Bind(row.connected_ns)
          .BindUnlessZero(row.disconnected_ns);
    } else {
      statement = &end_client_;
      statement->Bind(row.disconnected_ns).Bind(ToSql(entry->first));
    }
    if (row.disconnected_ns != 0) ++left_clients_.rows;
    if (Status status = statement->Run(); !status) return status;
  }
  return Status();
}

Status CatalogWriter::Trim(History* history) {
  const auto limit = static_cast<int64_t>(limits_.history_rows);
  if (history->rows <= limit + limit / 20) return Status();
  const auto rows = database_.QueryInteger(history->count_sql);
  if (!rows) return rows.error();
  history->rows = *rows;
  if (*rows <= limit) return Status();
  if (Status status = history->trim.Bind(*rows - limit).Run(); !status) {
    return status;
  }
  history->rows = limit;
  return Status();
}

Status CatalogWriter::TrimAll() {
  for (History* history : {&gone_objects_, &events_, &left_clients_}) {
    if (Status status = Trim(history); !status) return status;
  }
  return Status();
}

void CatalogWriter::ForgetCounts() {
  for (History* history : {&gone_objects_, &events_, &left_clients_}) {
    history->rows = std::numeric_limits<int64_t>::max() / 2;
  }
}

}  // namespace vitrine::store
