// How the catalog is made to agree with what a restarted store found in memory.
#include <algorithm>

#include "schema/base/wall_clock.h"
#include "store/catalog_writer.h"

namespace vitrine {
namespace {

constexpr char kSelectLiving[] =
    "SELECT number, id, state = 'sealed', hold, sealed_ns FROM objects"
    " WHERE gone_ns IS NULL ORDER BY number";
constexpr char kForget[] = "DELETE FROM objects WHERE number = ?";
constexpr char kPutLostEvent[] =
    "INSERT OR REPLACE INTO events (sequence, time_ns, kind, object, id,"
    " size_bytes, reason) SELECT ?, ?,"
    " CASE state WHEN 'sealed' THEN 'lost' ELSE 'aborted' END,"
    " number, id, size_bytes, 'the store ended'"
    " FROM objects WHERE number = ?";
constexpr char kMarkLost[] =
    "UPDATE objects SET"
    " state = CASE state WHEN 'sealed' THEN 'lost' ELSE 'aborted' END,"
    " gone_reason = CASE state WHEN 'sealed'"
    "  THEN 'not in memory after the store ended'"
    "  ELSE 'the store ended before it was sealed' END,"
    " tier = NULL, segment = NULL, offset_bytes = NULL, gone_ns = ?"
    " WHERE number = ?";
constexpr char kEndAllClients[] =
    "UPDATE clients SET disconnected_ns = ? WHERE disconnected_ns IS NULL";

// True if the row of kSelectLiving that `row` is at says what `info` says.
bool Agrees(const Statement& row, const ObjectInfo& info) {
  return row.Integer(2) == 1 && (row.Integer(3) != 0) == info.hold &&
         row.Integer(4) == info.sealed_ns && row.Text(1) == info.id.text();
}

}  // namespace

LiveObjects LiveObjectsOf(const std::vector<ObjectInfo>& infos) {
  std::vector<const ObjectInfo*> sorted;
  LiveObjects live;
  for (const ObjectInfo& info : infos) sorted.push_back(&info);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->number < b->number; });
  for (const ObjectInfo* info : sorted) live.numbers.push_back(info->number);
  live.info = [sorted = std::move(sorted)](size_t i) { return *sorted[i]; };
  return live;
}

Status CatalogWriter::Reconcile(const LiveObjects& live,
                                const TakeSequence& take_sequence) {
  if (Status status = CheckWritable(); !status) return status;
  auto transaction = Transaction::Begin(&database_);
  if (!transaction) return transaction.error();
  const int64_t now_ns = NowNs();
  ForgetCounts();
  auto difference = Compare(live);
  Status status = difference ? WriteUnknown(live, difference->unknown)
                             : Status(difference.error());
  if (status) status = WriteLost(difference->lost, now_ns, take_sequence);
  if (status) status = EndAllClients(now_ns);
  if (status) status = TrimAll();
  if (status) status = transaction->Commit();
  if (!status) ForgetCounts();
  return status;
}

Result<CatalogWriter::Difference> CatalogWriter::Compare(
    const LiveObjects& live) {
  const size_t count = live.numbers.size();
  size_t next = 0;
  Difference difference;
  auto rows = database_.Prepare(kSelectLiving);
  if (!rows) return rows.error();
  for (;;) {
    const auto row = rows->Step();
    if (!row) return row.error();
    if (!*row) break;
    const int64_t number = rows->Integer(0);
    while (next < count && ToSql(live.numbers[next]) < number) {
      difference.unknown.push_back(next++);
    }
    if (next == count || ToSql(live.numbers[next]) > number) {
      difference.lost.push_back(number);
    } else {
      if (!Agrees(*rows, live.info(next))) difference.unknown.push_back(next);
      ++next;
    }
  }
  while (next < count) difference.unknown.push_back(next++);
  return difference;
}

Status CatalogWriter::WriteUnknown(const LiveObjects& live,
                                   const std::vector<size_t>& unknown) {
  for (const size_t i : unknown) {
    const Status status =
        WriteObject({live.info(i), ObjectEventKind::kSealed, 0, false});
    if (!status) return status;
  }
  return Status();
}

Status CatalogWriter::WriteLost(const std::vector<int64_t>& lost,
                                int64_t now_ns,
                                const TakeSequence& take_sequence) {
  auto forget = database_.Prepare(kForget);
  if (!forget) return forget.error();
  auto put_event = database_.Prepare(kPutLostEvent);
  if (!put_event) return put_event.error();
  auto mark = database_.Prepare(kMarkLost);
  if (!mark) return mark.error();
  // More would be trimmed at once.
  const size_t kept = std::min(lost.size(), limits_.history_rows);
  const auto first_kept = lost.end() - static_cast<ptrdiff_t>(kept);
  int64_t sequence = take_sequence(kept);
  for (auto number = lost.begin(); number != lost.end(); ++number) {
    Status status;
    if (number < first_kept) {
      status = forget->Bind(*number).Run();
    } else {
      status = put_event->Bind(sequence++).Bind(now_ns).Bind(*number).Run();
      if (status) status = mark->Bind(now_ns).Bind(*number).Run();
    }
    if (!status) return status;
  }
  return Status();
}

Status CatalogWriter::EndAllClients(int64_t now_ns) {
  auto statement = database_.Prepare(kEndAllClients);
  if (!statement) return statement.error();
  return statement->Bind(now_ns).Run();
}

}  // namespace vitrine
