// How the catalog is made to agree with what a restarted store found in memory.
#include <algorithm>
#include <chrono>
#include <limits>

#include "store/catalog_writer.h"

namespace vitrine {
namespace {

constexpr char kMakeLiveTable[] =
    "CREATE TEMP TABLE IF NOT EXISTS live (number INTEGER PRIMARY KEY);"
    "DELETE FROM temp.live";
constexpr char kPutLiveNumber[] =
    "INSERT OR IGNORE INTO temp.live (number) VALUES (?)";
constexpr char kPutLostEvents[] =
    "INSERT INTO events (sequence, time_ns, kind, object, id, size_bytes,"
    " reason) SELECT ? + row_number() OVER (ORDER BY number) - 1, ?,"
    " CASE state WHEN 'sealed' THEN 'lost' ELSE 'aborted' END, number, id,"
    " size_bytes, 'the store ended' FROM objects WHERE gone_ns IS NULL"
    " AND number NOT IN (SELECT number FROM temp.live)";
constexpr char kMarkLost[] =
    "UPDATE objects SET"
    " state = CASE state WHEN 'sealed' THEN 'lost' ELSE 'aborted' END,"
    " gone_reason = CASE state WHEN 'sealed'"
    "  THEN 'not in memory when the store started'"
    "  ELSE 'the store ended before it was sealed' END,"
    " tier = NULL, segment = NULL, offset_bytes = NULL, gone_ns = ?"
    " WHERE gone_ns IS NULL AND number NOT IN (SELECT number FROM temp.live)";

constexpr char kEndAllClients[] =
    "UPDATE clients SET disconnected_ns = ? WHERE disconnected_ns IS NULL";

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Status CatalogWriter::Reconcile(const std::vector<ObjectInfo>& live,
                                int64_t* next_sequence) {
  if (Status status = CheckWritable(); !status) return status;
  auto transaction = Transaction::Begin(&database_);
  if (!transaction) return transaction.error();
  const int64_t now_ns = NowNs();
  int64_t sequence = *next_sequence;
  Status status = FillLiveTable(live);
  if (status) status = MarkLost(now_ns, &sequence);
  if (status) status = WriteLive(live);
  if (status) {
    auto end_clients = database_.Prepare(kEndAllClients);
    status = end_clients ? end_clients->Bind(now_ns).Run()
                         : Status(end_clients.error());
  }
  ForgetCounts();
  if (status) status = TrimAll();
  if (status) status = transaction->Commit();
  if (!status) ForgetCounts();
  if (status) *next_sequence = sequence;
  return status;
}

Status CatalogWriter::FillLiveTable(const std::vector<ObjectInfo>& live) {
  if (Status status = database_.Execute(kMakeLiveTable); !status) return status;
  auto statement = database_.Prepare(kPutLiveNumber);
  if (!statement) return statement.error();
  for (const ObjectInfo& info : live) {
    Status status = statement->Bind(static_cast<int64_t>(info.number)).Run();
    if (!status) return status;
  }
  return Status();
}

Status CatalogWriter::MarkLost(int64_t now_ns, int64_t* next_sequence) {
  auto put_events = database_.Prepare(kPutLostEvents);
  if (!put_events) return put_events.error();
  Status status = put_events->Bind(*next_sequence).Bind(now_ns).Run();
  if (!status) return status;
  *next_sequence += sqlite3_changes64(database_.handle());
  auto mark = database_.Prepare(kMarkLost);
  if (!mark) return mark.error();
  return mark->Bind(now_ns).Run();
}

Status CatalogWriter::WriteLive(const std::vector<ObjectInfo>& live) {
  for (const ObjectInfo& info : live) {
    const CatalogBatch::ObjectRow row{info, ObjectEventKind::kSealed, 0, false};
    BindObject(row, &put_live_);
    if (Status status = put_live_.Run(); !status) return status;
  }
  return Status();
}

}  // namespace vitrine
