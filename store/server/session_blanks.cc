#include "store/server/session_blanks.h"

#include <utility>

#include "schema/protocol.h"

namespace vitrine::store {

bool SessionBlanks::Add(const ObjectRef& blank) {
  MutexLock lock(mutex_);
  if (closed_ || blanks_.size() >= kMaxBlanksOfSession) return false;
  blanks_.emplace(NumberOf(*blank), blank);
  return true;
}

ObjectRef SessionBlanks::Find(uint64_t number) const {
  MutexLock lock(mutex_);
  const auto found = blanks_.find(number);
  return found != blanks_.end() ? found->second : nullptr;
}

ObjectRef SessionBlanks::Take(uint64_t number) {
  MutexLock lock(mutex_);
  auto node = blanks_.extract(number);
  return node.empty() ? nullptr : std::move(node.mapped());
}

size_t SessionBlanks::size() const {
  MutexLock lock(mutex_);
  return blanks_.size();
}

std::vector<ObjectRef> SessionBlanks::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  std::vector<ObjectRef> left;
  for (auto& [number, blank] : blanks_) left.push_back(std::move(blank));
  blanks_.clear();
  return left;
}

}  // namespace vitrine::store
