#include "fusefs/files/wait_nodes.h"

#include "fusefs/files/node_id.h"

namespace vitrine::fusefs {

uint64_t WaitNodes::Add(const ObjectId& id, uid_t uid) {
  MutexLock lock(mutex_);
  const uint64_t node = MakeNode(NodeKind::kWait, ++last_);
  nodes_.emplace(node, Node{id, uid});
  std::set<uint64_t>& nodes = users_[uid];
  nodes.insert(nodes.end(), node);
  if (nodes.size() > most_of_a_user_) Erase(*nodes.begin());
  return node;
}

void WaitNodes::Forget(uint64_t node) {
  MutexLock lock(mutex_);
  if (nodes_.contains(node)) Erase(node);
}

void WaitNodes::Erase(uint64_t node) {
  const auto it = nodes_.find(node);
  const auto user = users_.find(it->second.uid);
  user->second.erase(node);
  if (user->second.empty()) users_.erase(user);
  nodes_.erase(it);
}

std::optional<ObjectId> WaitNodes::Find(uint64_t node) const {
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  if (it == nodes_.end()) return std::nullopt;
  return it->second.id;
}

size_t WaitNodes::size() const {
  MutexLock lock(mutex_);
  return nodes_.size();
}

}  // namespace vitrine::fusefs
