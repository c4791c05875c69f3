#ifndef VITRINE_STORE_SERVER_SESSION_BLANKS_H_
#define VITRINE_STORE_SERVER_SESSION_BLANKS_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "schema/base/mutex.h"
#include "store/base/object.h"

namespace vitrine::store {

// The blanks that one client has, by number.  Thread-safe: requests bring them
// and give them back, and the client's ring seals them.
class SessionBlanks {
 public:
  // False: there are too many already, or the client is gone.
  bool Add(const ObjectRef& blank) EXCLUDES(mutex_);
  // Null: the client has no such blank.
  ObjectRef Find(uint64_t number) const EXCLUDES(mutex_);
  ObjectRef Take(uint64_t number) EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);
  // All that are left, and no more are taken in.
  std::vector<ObjectRef> Close() EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::unordered_map<uint64_t, ObjectRef> blanks_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SERVER_SESSION_BLANKS_H_
