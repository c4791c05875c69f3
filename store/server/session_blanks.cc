#include "store/server/session_blanks.h"

#include <algorithm>
#include <utility>

#include "schema/protocol.h"

namespace vitrine::store {

size_t SessionBlanks::BeginMaking(size_t wanted) {
  MutexLock lock(mutex_);
  const size_t room = kMaxBlanksOfSession - blanks_.size();
  if (making_ || closed_ || room == 0) return 0;
  making_ = true;
  return std::min(wanted, room);
}

void SessionBlanks::EndMaking() {
  MutexLock lock(mutex_);
  making_ = false;
}

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

void SessionBlanks::SealOne(const std::shared_ptr<SessionBlanks>& blanks,
                            BlankSegments* store, const Seal& seal,
                            Done<void> done) {
  const ObjectRef blank = blanks->Find(seal.number);
  if (blank == nullptr) {
    return done(Error{Code::kNotFound, "the client has no such blank"});
  }
  store->SealBlank(blank, seal.seal,
                   [blanks, store, blank, keep_if_in_use = seal.keep_if_in_use,
                    done = std::move(done)](Status sealed) {
                     const bool in_use =
                         !sealed && sealed.error().code == Code::kInUse;
                     if (!in_use || !keep_if_in_use) {
                       blanks->Take(NumberOf(*blank));
                       if (!sealed) store->DropBlank(blank);
                     }
                     done(std::move(sealed));
                   });
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
