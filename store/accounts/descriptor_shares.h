// How the store's descriptors are shared out.
#ifndef VITRINE_STORE_ACCOUNTS_DESCRIPTOR_SHARES_H_
#define VITRINE_STORE_ACCOUNTS_DESCRIPTOR_SHARES_H_

#include <cstdint>

#include "store/accounts/quota.h"
#include "store/accounts/shared_limit.h"

namespace vitrine::store {

// The process may have a number of descriptors (RLIMIT_NOFILE).  Some of them
// remain for the store itself: its own files, and those that it opens for a
// moment to seal, evict or answer.  Half of the others are for connections, at
// two each (the socket, and its process or bell), half for files that are open
// through the mount.
struct DescriptorShares {
  Share connections;
  Share files;
};
DescriptorShares ShareDescriptors(uint64_t limit);
// Of this process, as its limit is now.
DescriptorShares ShareDescriptors();

// For each user who has no limit of its own: half of each share, and a number
// of waits that no honest user needs.
Quota DefaultUserQuota(const DescriptorShares& shares);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ACCOUNTS_DESCRIPTOR_SHARES_H_
