// `status` as JSON.
#ifndef VITRINE_STORE_METRICS_STATUS_JSON_H_
#define VITRINE_STORE_METRICS_STATUS_JSON_H_

#include <nlohmann/json_fwd.hpp>

#include "store/metrics/status_section.h"

namespace vitrine::store {

// An object whose texts are valid UTF-8; other bytes of paths and clients'
// names are replaced.
nlohmann::json ToJson(const StatusSection& section);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_METRICS_STATUS_JSON_H_
