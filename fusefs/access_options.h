// The options that say who may use the store.
#ifndef VITRINE_FUSEFS_ACCESS_OPTIONS_H_
#define VITRINE_FUSEFS_ACCESS_OPTIONS_H_

#include <vitrine/result.h>

#include <optional>
#include <string>
#include <vector>

#include "store/base/access.h"

namespace vitrine::fusefs {

// What was given; empty: it was not.
struct AccessTexts {
  std::optional<std::string> socket_mode;
  std::optional<std::string> socket_group;
  std::vector<std::string> allow_users;  // Each a list with commas.
};

// kInvalidArgument: the message names the option.
Result<store::Access> ParseAccess(const AccessTexts& texts);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_ACCESS_OPTIONS_H_
