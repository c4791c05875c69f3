// The conclusions of `vitrine doctor` from what a store says of itself.
#ifndef VITRINE_CLIENT_TOOLS_STORE_DIAGNOSIS_H_
#define VITRINE_CLIENT_TOOLS_STORE_DIAGNOSIS_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "client/tools/diagnosis.h"

namespace vitrine::tools {

// What is at `key`; empty if there is no text, or no object.
std::string JsonText(const nlohmann::ordered_json& json,
                     const std::string& key);
nlohmann::ordered_json JsonObject(const nlohmann::ordered_json& json,
                                  const std::string& key);

// Of a store's `status`: who can change its objects, memory that is short, and
// objects that were left behind.  What is well is not told.
std::vector<Finding> DiagnoseStatus(const nlohmann::ordered_json& status);

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_STORE_DIAGNOSIS_H_
