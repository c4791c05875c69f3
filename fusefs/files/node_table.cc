#include "fusefs/files/node_table.h"

#include <utility>

namespace vitrine::fusefs {

void NodeTable::Add(uint64_t node, const ObjectRef& object) {
  MutexLock lock(mutex_);
  Node& entry = nodes_[node];
  ++entry.lookups;
  if (!entry.object) entry.object = object;
}

uint64_t NodeTable::AddWait(const ObjectId& id) {
  MutexLock lock(mutex_);
  const uint64_t node = MakeNode(NodeKind::kWait, ++last_wait_);
  Node& entry = nodes_[node];
  entry.lookups = 1;
  entry.wait_id = std::make_unique<ObjectId>(id);
  return node;
}

void NodeTable::Forget(uint64_t node, uint64_t lookups) {
  Node dropped;  // It may have the last reference: destroyed without the lock.
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return;
  if (it->second.lookups > lookups) {
    it->second.lookups -= lookups;
    return;
  }
  dropped = std::move(it->second);
  nodes_.erase(it);
}

ObjectRef NodeTable::FindObject(uint64_t node) const {
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  return it == nodes_.end() ? nullptr : it->second.object;
}

std::optional<ObjectId> NodeTable::FindWait(uint64_t node) const {
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  if (it == nodes_.end() || !it->second.wait_id) return std::nullopt;
  return *it->second.wait_id;
}

bool NodeTable::Knows(uint64_t node) const {
  MutexLock lock(mutex_);
  return nodes_.contains(node);
}

bool NodeTable::NoteSealedOpen(uint64_t node) {
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  return it != nodes_.end() && std::exchange(it->second.opened_sealed, true);
}

size_t NodeTable::size() const {
  MutexLock lock(mutex_);
  return nodes_.size();
}

}  // namespace vitrine::fusefs
