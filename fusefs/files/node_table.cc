#include "fusefs/files/node_table.h"

#include <utility>

namespace vitrine::fusefs {
namespace {

constexpr uint8_t BitOf(uint64_t dir) {
  return static_cast<uint8_t>(1U << dir);
}

}  // namespace

void NodeTable::Add(uint64_t node, const ObjectRef& object, uint64_t dir) {
  MutexLock lock(mutex_);
  Node& entry = nodes_[node];
  ++entry.lookups;
  entry.dirs |= BitOf(dir);
  if (!entry.object) entry.object = object;
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

void NodeTable::AddName(uint64_t node, uint64_t dir) {
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  if (it != nodes_.end()) it->second.dirs |= BitOf(dir);
}

void NodeTable::DropName(uint64_t node, uint64_t dir) {
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  if (it != nodes_.end()) it->second.dirs &= static_cast<uint8_t>(~BitOf(dir));
}

std::vector<uint64_t> NodeTable::DirsOf(uint64_t node) const {
  std::vector<uint64_t> dirs;
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return dirs;
  for (uint64_t dir = kRootNode; dir <= kStatusFile; ++dir) {
    if ((it->second.dirs & BitOf(dir)) != 0) dirs.push_back(dir);
  }
  return dirs;
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
