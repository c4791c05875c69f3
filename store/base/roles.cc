#include "store/base/roles.h"

#include <nlohmann/json.hpp>

#include "store/metrics/status_json.h"

namespace vitrine::store {

nlohmann::json StoreFacts::StatusJson() { return ToJson(GetStatus()); }

}  // namespace vitrine::store
