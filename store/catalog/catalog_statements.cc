#include "store/catalog/catalog_statements.h"

#include <utility>

namespace vitrine::store {
namespace {

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

}  // namespace

Result<CatalogStatements> CatalogStatements::Prepare(
    sqlite::Database* database) {
  CatalogStatements all;
  const std::pair<const char*, sqlite::Statement*> statements[] = {
      {kPutObject, &all.put_object},       {kPutEvent, &all.put_event},
      {kPutUses, &all.put_uses},           {kPutClient, &all.put_client},
      {kEndClient, &all.end_client},       {kSelectObject, &all.select_object},
      {kSelectLiving, &all.select_living}, {kTrimGone, &all.gone_objects.trim},
      {kTrimEvents, &all.events.trim},     {kTrimLeft, &all.left_clients.trim}};
  for (const auto& [sql, statement] : statements) {
    auto prepared = database->Prepare(sql);
    if (!prepared) return prepared.error();
    *statement = *std::move(prepared);
  }
  all.gone_objects.count_sql = kCountGone;
  all.events.count_sql = kCountEvents;
  all.left_clients.count_sql = kCountLeft;
  return all;
}

}  // namespace vitrine::store
