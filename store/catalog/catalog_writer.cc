#include "store/catalog/catalog_writer.h"

#include <algorithm>
#include <limits>

#include "schema/sqlite/transaction.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kCheckpointStepBytes = 16 << 20;
// Beyond this size a checkpoint waits for readers, for a moment.
constexpr uint64_t kLongWalBytes = 4 * kCheckpointStepBytes;

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

int CatalogWriter::OnCommit(void* self, sqlite3* /*database*/,
                            const char* /*name*/, int log_pages) {
  auto* writer = static_cast<CatalogWriter*>(self);
  writer->wal_bytes_ = static_cast<uint64_t>(log_pages) * writer->page_bytes_;
  return SQLITE_OK;
}

Status CatalogWriter::CheckLog() {
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
  if (!connected()) return;
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
  if (Status status = CheckLog(); !status) return status;
  auto transaction = sqlite::Transaction::Begin(&database_);
  if (!transaction) return transaction.error();
  Status status = write();
  if (status) status = TrimAll();
  if (status) status = transaction->Commit();
  if (!status) ForgetCounts();
  return status;
}

int64_t CatalogWriter::Number(int64_t sequence) {
  const int64_t number = earlier_events_ + sequence;
  newest_event_ = std::max(newest_event_, number);
  return number;
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
  if (row.gone_ns != 0) {
    statement->BindNull().BindNull().BindNull();
  } else if (info.elsewhere) {
    statement->Bind(TierName(info)).BindNull().BindNull();
  } else {
    statement->Bind(TierName(info))
        .Bind(ToSql(info.segment()))
        .Bind(ToSql(info.offset_bytes));
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
  BindObject(row, &statements_->put_object);
  if (row.gone_ns != 0) ++statements_->gone_objects.rows;
  return statements_->put_object.Run();
}

Status CatalogWriter::WriteEvents(const CatalogBatch& batch) {
  std::string reason;
  for (const CatalogBatch::EventRow& row : batch.events()) {
    statements_->put_event.Bind(Number(row.sequence))
        .Bind(row.time_ns)
        .Bind(KindName(row))
        .Bind(ToSql(row.number))
        .Bind(row.id.text())
        .Bind(ToSql(row.size_bytes));
    if (row.old_id) {
      reason = "was " + row.old_id->text();
      statements_->put_event.Bind(reason);
    } else {
      statements_->put_event.BindNull();
    }
    if (Status status = statements_->put_event.Run(); !status) return status;
    ++statements_->events.rows;
  }
  return Status();
}

Status CatalogWriter::WriteUses(const CatalogBatch& batch) {
  for (const auto* entry : Sorted(batch.uses())) {
    statements_->put_uses.Bind(entry->second.used_ns)
        .Bind(ToSql(entry->second.use_count))
        .Bind(ToSql(entry->first));
    if (Status status = statements_->put_uses.Run(); !status) return status;
  }
  return Status();
}

Status CatalogWriter::WriteClients(const CatalogBatch& batch) {
  for (const auto* entry : Sorted(batch.clients())) {
    const CatalogBatch::ClientRow& row = entry->second;
    sqlite::Statement* statement = &statements_->put_client;
    if (row.connected_ns != 0) {
      statement->Bind(ToSql(entry->first))
          .Bind(row.name)
          .Bind(row.pid)
          .Bind(row.uid)
          .Bind(row.connected_ns)
          .BindUnlessZero(row.disconnected_ns);
    } else {
      statement = &statements_->end_client;
      statement->Bind(row.disconnected_ns).Bind(ToSql(entry->first));
    }
    if (row.disconnected_ns != 0) ++statements_->left_clients.rows;
    if (Status status = statement->Run(); !status) return status;
  }
  return Status();
}

Status CatalogWriter::Trim(CatalogHistory* history) {
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
  for (CatalogHistory* history :
       {&statements_->gone_objects, &statements_->events,
        &statements_->left_clients}) {
    if (Status status = Trim(history); !status) return status;
  }
  return Status();
}

void CatalogWriter::ForgetCounts() {
  for (CatalogHistory* history :
       {&statements_->gone_objects, &statements_->events,
        &statements_->left_clients}) {
    history->rows = std::numeric_limits<int64_t>::max() / 2;
  }
}

}  // namespace vitrine::store
