// The JSON output of `vitrine`.  Ids and metadata may be any bytes, but JSON is
// UTF-8.  A value that is not UTF-8 is shown with U+FFFD in the place of bad
// bytes, and exactly under a key with `_hex`.
#ifndef VITRINE_CLIENT_TOOLS_JSON_TEXT_H_
#define VITRINE_CLIENT_TOOLS_JSON_TEXT_H_

#include <vitrine/client.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace vitrine::tools {

// Never throws.  `indent` -1: one line.
std::string Dump(const nlohmann::ordered_json& json, int indent = 2);

// The JSON object that a store sent.  kCorruption: it is none, or nested more
// deeply than any store's, so that to print it could take the whole stack.
Result<nlohmann::ordered_json> ParseObject(const std::string& text);

nlohmann::ordered_json StatToJson(const ObjectStat& stat);
nlohmann::ordered_json MetadataToJson(const Metadata& metadata);
nlohmann::ordered_json EventToJson(const Event& event);

// "sealed", "evicted", "deleted", "overflow", "existing-done".
const char* EventName(EventKind kind);

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_JSON_TEXT_H_
