#ifndef VITRINE_STORE_TIERS_SPILL_METRICS_H_
#define VITRINE_STORE_TIERS_SPILL_METRICS_H_

#include <string>

#include "store/metrics/status_section.h"
#include "store/tiers/spill_book.h"
#include "store/tiers/spill_cleaner.h"
#include "store/tiers/spill_io.h"

namespace vitrine::store {

struct SpillNumbers {
  std::string url;
  SpillBook::Numbers book;
  SpillIo::Numbers io;
  SpillCleaner::Numbers cleaner;
};

// The URL is told without user and password.
StatusSection SpillSection(const SpillNumbers& numbers);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_SPILL_METRICS_H_
