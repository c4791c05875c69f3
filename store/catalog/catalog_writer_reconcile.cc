// The parts of reconciling that read and write the database.
#include <algorithm>

#include "schema/base/wall_clock.h"
#include "store/catalog/catalog_writer.h"

namespace vitrine::store {
namespace {

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
    " gone_reason = CASE WHEN ? THEN 'went while the catalog was behind'"
    "  WHEN state = 'sealed' THEN 'not in memory after the store ended'"
    "  ELSE 'the store ended before it was sealed' END,"
    " tier = NULL, segment = NULL, offset_bytes = NULL, gone_ns = ?"
    " WHERE number = ?";
constexpr char kEndAllClients[] =
    "UPDATE clients SET disconnected_ns = ? WHERE disconnected_ns IS NULL";
constexpr int64_t kNoEvents = -1;

}  // namespace

Status CatalogWriter::EndAllClients() {
  ForgetCounts();
  return Transact([this]() -> Status {
    auto statement = database_.Prepare(kEndAllClients);
    if (!statement) return statement.error();
    return statement->Bind(NowNs()).Run();
  });
}

// `NULL` reads as 0.
Result<bool> CatalogWriter::Agrees(const ObjectInfo& info) {
  sqlite::Statement& row = statements_->select_object;
  const auto found = row.Bind(ToSql(info.number)).Step();
  if (!found) {
    row.Reset();
    return found.error();
  }
  const bool sealed = info.state == ObjectState::kSealed;
  const bool agrees =
      *found && row.Text(0) == info.id.text() &&
      row.Text(1) == (sealed ? "sealed" : "unsealed") &&
      row.Integer(2) == (info.elsewhere ? 0 : ToSql(info.segment())) &&
      row.Integer(3) == ToSql(info.offset_bytes) &&
      row.Integer(4) == info.mode && row.Integer(5) == info.uid &&
      row.Integer(6) == info.gid && row.Integer(7) == ToSql(info.size_bytes) &&
      row.Integer(8) == info.sealed_ns && (row.Integer(9) != 0) == info.hold;
  row.Reset();
  return agrees;
}

Status CatalogWriter::WriteLive(std::span<const ObjectInfo> live) {
  if (live.empty()) return Status();
  return Transact([&]() -> Status {
    for (const ObjectInfo& info : live) {
      const auto agrees = Agrees(info);
      if (!agrees) return agrees.error();
      if (*agrees) continue;
      const Status status =
          WriteObject({info, ObjectEventKind::kSealed, 0, false});
      if (!status) return status;
    }
    return Status();
  });
}

Result<std::vector<KnownObject>> CatalogWriter::ReadLiving(uint64_t from,
                                                           size_t most) {
  std::vector<KnownObject> living;
  sqlite::Statement& rows = statements_->select_living;
  rows.Bind(ToSql(from)).Bind(static_cast<int64_t>(most));
  for (;;) {
    const auto row = rows.Step();
    if (!row) {
      rows.Reset();
      return row.error();
    }
    if (!*row) break;
    living.push_back({static_cast<uint64_t>(rows.Integer(0)), rows.Text(1)});
  }
  rows.Reset();
  return living;
}

Status CatalogWriter::WriteLost(std::span<const KnownObject> lost,
                                const TakeSequence& take_sequence) {
  if (lost.empty()) return Status();
  // More would be trimmed at once.
  const size_t kept = std::min(lost.size(), limits_.history_rows);
  return Transact([&]() -> Status {
    auto forget = database_.Prepare(kForget);
    if (!forget) return forget.error();
    for (const KnownObject& object : lost.first(lost.size() - kept)) {
      const Status status = forget->Bind(ToSql(object.number)).Run();
      if (!status) return status;
    }
    return MarkLost(lost.last(kept),
                    take_sequence ? take_sequence(kept) : kNoEvents);
  });
}

Status CatalogWriter::MarkLost(std::span<const KnownObject> lost,
                               int64_t sequence) {
  auto put_event = database_.Prepare(kPutLostEvent);
  if (!put_event) return put_event.error();
  auto mark = database_.Prepare(kMarkLost);
  if (!mark) return mark.error();
  const int64_t now_ns = NowNs();
  const bool with_events = sequence != kNoEvents;
  for (const KnownObject& object : lost) {
    const int64_t number = ToSql(object.number);
    Status status;
    if (with_events) {
      status =
          put_event->Bind(Number(sequence++)).Bind(now_ns).Bind(number).Run();
      ++statements_->events.rows;
    }
    if (status) {
      status = mark->Bind(with_events ? 0 : 1).Bind(now_ns).Bind(number).Run();
    }
    if (!status) return status;
    ++statements_->gone_objects.rows;
  }
  return Status();
}

}  // namespace vitrine::store
