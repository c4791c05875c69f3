// The options that say where evicted objects go.
#ifndef VITRINE_FUSEFS_SPILL_OPTIONS_H_
#define VITRINE_FUSEFS_SPILL_OPTIONS_H_

#include <vitrine/result.h>

#include <optional>
#include <string>
#include <vector>

#include "fusefs/base/store_names.h"

namespace vitrine::fusefs {

// As they were given.
struct SpillTexts {
  std::string spill_dir;                     // Absolute; empty: none.
  std::vector<std::string> external_stores;  // URLs.
  std::optional<std::string> on_exit;
};

// kInvalidArgument: they make no sense.
Status SetSpill(const SpillTexts& texts, StoreOptions* options);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_SPILL_OPTIONS_H_
