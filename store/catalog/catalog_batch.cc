#include "store/catalog/catalog_batch.h"

#include <algorithm>
#include <utility>

namespace vitrine::store {
namespace {

bool IsGone(ObjectEventKind kind) {
  return kind == ObjectEventKind::kAborted ||
         kind == ObjectEventKind::kDeleted || kind == ObjectEventKind::kEvicted;
}

}  // namespace

CatalogBatch::Dropped& CatalogBatch::Dropped::operator+=(const Dropped& other) {
  events += other.events;
  objects += other.objects;
  clients += other.clients;
  uses += other.uses;
  return *this;
}

void CatalogBatch::AddEvent(QueuedEvent queued, bool with_history) {
  ObjectEvent& event = queued.event;
  const ObjectEventKind kind = event.kind;
  if (kind == ObjectEventKind::kMoved) {
    // Only the object's row has the place of its bytes.
  } else if (with_history) {
    EventRow row{queued.sequence,       queued.time_ns, kind,
                 event.info.number,     event.info.id,  std::nullopt,
                 event.info.size_bytes, event.info.hold};
    if (event.old_id != event.info.id) row.old_id = std::move(event.old_id);
    AddEventRow(std::move(row));
  } else {
    ++dropped_.events;
  }
  const uint64_t number = event.info.number;
  // Small objects are created by their seal.
  const bool created = kind == ObjectEventKind::kCreated ||
                       (kind == ObjectEventKind::kSealed &&
                        event.info.created_ns == event.info.sealed_ns);
  AddObject(number, ObjectRow{std::move(event.info), kind,
                              IsGone(kind) ? queued.time_ns : 0, created});
}

void CatalogBatch::AddUses(const std::vector<ObjectInfo>& infos) {
  for (const ObjectInfo& info : infos) {
    AddUse(info.number, Uses{info.used_ns, info.use_count});
  }
}

void CatalogBatch::AddClient(uint64_t client, ClientRow row) {
  clients_.insert_or_assign(client, std::move(row));
}

void CatalogBatch::RemoveClient(uint64_t client, int64_t disconnected_ns) {
  ClientRow& row = clients_[client];
  row.disconnected_ns = disconnected_ns;
  if (row.connected_ns != 0 && clients_.size() > limits_.history_rows) {
    clients_.erase(client);
    ++dropped_.clients;
  }
}

void CatalogBatch::Merge(CatalogBatch&& newer) {
  for (auto& [number, row] : newer.objects_) AddObject(number, std::move(row));
  for (EventRow& row : newer.events_) AddEventRow(std::move(row));
  for (const auto& [number, uses] : newer.uses_) AddUse(number, uses);
  for (auto& [client, row] : newer.clients_) {
    if (row.connected_ns != 0) {
      AddClient(client, std::move(row));
    } else {
      RemoveClient(client, row.disconnected_ns);
    }
  }
  dropped_ += newer.dropped_;
}

void CatalogBatch::ForgetObjects() {
  dropped_.objects += objects_.size();
  objects_ = {};  // Its memory, too.
  overflowed_ = false;
}

void CatalogBatch::Clear() {
  objects_.clear();
  events_.clear();
  clients_.clear();
  uses_.clear();
}

bool CatalogBatch::empty() const { return rows() == 0; }

size_t CatalogBatch::rows() const {
  return objects_.size() + events_.size() + clients_.size() + uses_.size();
}

void CatalogBatch::AddObject(uint64_t number, ObjectRow row) {
  if (overflowed_) return;
  const bool gone = row.gone_ns != 0;
  if (objects_.size() >= limits_.pending_rows && !objects_.contains(number)) {
    ForgetObjects();
    overflowed_ = true;
    return;
  }
  const auto [it, added] = objects_.try_emplace(number, std::move(row));
  if (!added) {
    row.created |= it->second.created;
    it->second = std::move(row);
  }
  if (!gone) return;
  uses_.erase(number);
  if (it->second.created && objects_.size() > limits_.history_rows) {
    objects_.erase(it);
    ++dropped_.objects;
  }
}

void CatalogBatch::AddEventRow(EventRow row) {
  events_.push_back(std::move(row));
  if (events_.size() <= limits_.history_rows) return;
  events_.pop_front();
  ++dropped_.events;
}

void CatalogBatch::AddUse(uint64_t number, Uses uses) {
  const auto it = uses_.find(number);
  if (it != uses_.end()) {
    it->second.used_ns = std::max(it->second.used_ns, uses.used_ns);
    it->second.use_count = std::max(it->second.use_count, uses.use_count);
  } else if (uses_.size() < limits_.pending_rows) {
    uses_.emplace(number, uses);
  } else {
    ++dropped_.uses;
  }
}

}  // namespace vitrine::store
