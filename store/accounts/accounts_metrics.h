// What `status` tells of the accounts.
#ifndef VITRINE_STORE_ACCOUNTS_ACCOUNTS_METRICS_H_
#define VITRINE_STORE_ACCOUNTS_ACCOUNTS_METRICS_H_

#include <vector>

#include "store/accounts/accounts.h"
#include "store/metrics/status_section.h"

namespace vitrine::store {

// One for each user and group that has something.
std::vector<StatusSection> AccountSections(const Accounts& accounts);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ACCOUNTS_ACCOUNTS_METRICS_H_
