// Who may still hold pages of a segment to which he could write.
//
// The kernel's leases see descriptors and mappings.  They do not see a page
// that is the target of a read(2) under way (O_DIRECT, io_uring, a file system
// in user space): it stays pinned after the mapping is gone, and is written
// later.
#ifndef VITRINE_STORE_TABLE_PAGE_HOLDERS_H_
#define VITRINE_STORE_TABLE_PAGE_HOLDERS_H_

#include <sys/types.h>

#include <optional>

#include "store/base/object.h"
#include "store/base/requests.h"
#include "store/base/store_options.h"

namespace vitrine::store {

class PageHolders {
 public:
  void Add(PageHolder holder) {
    if (!holder) return;
    any_ = true;
    if (IsTrusted(*holder)) return;
    several_ |= user_.value_or(*holder) != *holder;
    user_ = user_.value_or(*holder);
  }
  // Its pages must be replaced before it is sealed.
  bool NeedNewPages(SealCopy policy) const {
    switch (policy) {
      case SealCopy::kAuto:
        return user_.has_value();
      case SealCopy::kAlways:
        return any_;
      case SealCopy::kNever:
        break;
    }
    return false;
  }
  // Whatever holds its pages, `owner` could have written it himself.
  bool OnlyTrustedAnd(uid_t owner) const {
    return !several_ && user_.value_or(owner) == owner;
  }

 private:
  bool any_ = false;
  bool several_ = false;       // More than one of those who are not trusted.
  std::optional<uid_t> user_;  // The first of them.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_PAGE_HOLDERS_H_
