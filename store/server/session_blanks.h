#ifndef VITRINE_STORE_SERVER_SESSION_BLANKS_H_
#define VITRINE_STORE_SERVER_SESSION_BLANKS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "schema/base/mutex.h"
#include "store/base/object.h"
#include "store/base/roles.h"

namespace vitrine::store {

// The blanks that one client has, by number.  Thread-safe: requests bring them
// and give them back, and the client's ring seals them.
class SessionBlanks {
 public:
  // How many of `wanted` blanks may be made for it now.  While some are made,
  // until EndMaking, no others are.
  size_t BeginMaking(size_t wanted) EXCLUDES(mutex_);
  void EndMaking() EXCLUDES(mutex_);
  // False: there are too many already, or the client is gone.
  bool Add(const ObjectRef& blank) EXCLUDES(mutex_);
  // Null: the client has no such blank.
  ObjectRef Find(uint64_t number) const EXCLUDES(mutex_);
  ObjectRef Take(uint64_t number) EXCLUDES(mutex_);
  // Seals the one with that number.  It is gone then, if it could be sealed or
  // not, unless somebody has it open and the client wants to keep it.
  // kNotFound: the client has no such blank.  `store` must outlive it.
  struct Seal {
    uint64_t number;
    bool keep_if_in_use;
    BlankSeal seal;
  };
  static void SealOne(const std::shared_ptr<SessionBlanks>& blanks,
                      BlankSegments* store, const Seal& seal, Done<void> done);
  size_t size() const EXCLUDES(mutex_);
  // All that are left, and no more are taken in.
  std::vector<ObjectRef> Close() EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  bool closed_ GUARDED_BY(mutex_) = false;
  bool making_ GUARDED_BY(mutex_) = false;
  std::unordered_map<uint64_t, ObjectRef> blanks_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SERVER_SESSION_BLANKS_H_
