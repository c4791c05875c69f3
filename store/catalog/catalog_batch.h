// The rows that the catalog has still to write: one for each object, however
// many events it had, and the newest events.
//
// Invariants:
//  (1) Unless the batch overflowed, an object whose state the database lacks
//  has
//      a row here with its newest state.  There is one exception: when there
//      are very many, an object that came and went since the last write may be
//      left out (its row would be trimmed at once).
//  (2) The memory is bounded by the limits.  With more objects than those allow
//      the batch overflows: it drops its objects and takes none until
//      ForgetObjects.
#ifndef VITRINE_STORE_CATALOG_CATALOG_BATCH_H_
#define VITRINE_STORE_CATALOG_CATALOG_BATCH_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/base/observer.h"

namespace vitrine::store {

struct CatalogLimits {
  // The limit for events that wait to be folded, for objects that wait to be
  // written, and for uses of objects.  Beyond half of it events are written
  // without history; beyond all of it objects are dropped, to be found by
  // reconciling.
  size_t pending_rows = 128 * 1024;
  // Rows of gone objects, of events and of clients that left: the newest.
  size_t history_rows = 100'000;
  // Past this size of the write-ahead log the catalog writes nothing until the
  // readers that keep the log alive are done.
  uint64_t wal_bytes = uint64_t{1} << 30;
};

// An event, when it happened, and its place among all events.
struct QueuedEvent {
  ObjectEvent event;
  int64_t time_ns;
  int64_t sequence;
};

// Not thread-safe.
class CatalogBatch {
 public:
  struct ObjectRow {
    ObjectInfo info;
    ObjectEventKind last;  // The last event; tells how the object went.
    int64_t gone_ns;       // 0: it lives.
    bool created;          // The database has no row of it.
  };
  struct EventRow {
    int64_t sequence;
    int64_t time_ns;
    ObjectEventKind kind;
    uint64_t number;
    ObjectId id;
    std::optional<ObjectId> old_id;  // If it was another.
    uint64_t size_bytes;
    bool hold;
  };
  struct ClientRow {
    std::string name;
    pid_t pid = 0;
    uid_t uid = 0;
    int64_t connected_ns = 0;     // 0: the database has its row.
    int64_t disconnected_ns = 0;  // 0: it is connected.
  };
  struct Uses {
    int64_t used_ns;
    uint64_t use_count;
  };
  // The numbers of rows that were left out.
  struct Dropped {
    uint64_t events = 0;
    uint64_t objects = 0;
    uint64_t clients = 0;
    uint64_t uses = 0;

    Dropped& operator+=(const Dropped& other);
  };

  explicit CatalogBatch(const CatalogLimits& limits) : limits_(limits) {}

  // Folds `event` in; `with_history`: also as an event of its own.
  void AddEvent(QueuedEvent event, bool with_history);
  void AddUses(const std::vector<ObjectInfo>& infos);
  // Count dropped rows.
  void DropUses(uint64_t count) { dropped_.uses += count; }
  void DropEvents(uint64_t count) { dropped_.events += count; }
  void AddClient(uint64_t client, ClientRow row);
  void RemoveClient(uint64_t client, int64_t disconnected_ns);
  // Folds in a batch of later events.
  void Merge(CatalogBatch&& newer);
  void Clear();
  // Drops all objects and ends an overflow.
  void ForgetObjects();

  // True if objects were dropped since ForgetObjects.
  bool overflowed() const { return overflowed_; }
  bool empty() const;
  size_t rows() const;
  const std::unordered_map<uint64_t, ObjectRow>& objects() const {
    return objects_;
  }
  const std::deque<EventRow>& events() const { return events_; }
  const std::unordered_map<uint64_t, ClientRow>& clients() const {
    return clients_;
  }
  const std::unordered_map<uint64_t, Uses>& uses() const { return uses_; }
  // Since construction; Clear does not reset it.
  const Dropped& dropped() const { return dropped_; }

 private:
  void AddObject(uint64_t number, ObjectRow row);
  void AddEventRow(EventRow row);
  void AddUse(uint64_t number, Uses uses);

  CatalogLimits limits_;
  bool overflowed_ = false;
  std::unordered_map<uint64_t, ObjectRow> objects_;
  std::deque<EventRow> events_;  // In the order of `sequence`.
  std::unordered_map<uint64_t, ClientRow> clients_;
  std::unordered_map<uint64_t, Uses> uses_;
  Dropped dropped_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_BATCH_H_
