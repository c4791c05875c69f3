#include "client/tools/store_diagnosis.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "client/tools/owner_names.h"
#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

using Json = nlohmann::ordered_json;

// None: there is no such number.
std::optional<uint64_t> NumberAt(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<uint64_t>();
}

std::string UserName(uint64_t uid) {
  return OwnerNames().User(static_cast<unsigned>(uid));
}

void CheckUser(const Json& status, std::vector<Finding>* findings) {
  const auto uid = NumberAt(status, "uid");
  if (!uid || *uid == 0) return;
  findings->push_back(
      {"store's user", Verdict::kWarn,
       "other processes of the same user, " + UserName(*uid) +
           ", can change sealed objects",
       "run the store as a user of its own, or as a service of root's"});
}

void CheckPressure(const Json& status, std::vector<Finding>* findings) {
  const std::string problem =
      JsonText(JsonObject(status, "pressure"), "problem");
  if (problem.empty()) return;
  findings->push_back({"store's memory", Verdict::kWarn, problem, ""});
}

void CheckAbandoned(const Json& status, std::vector<Finding>* findings) {
  const Json abandoned = JsonObject(status, "abandoned");
  const uint64_t objects = NumberAt(abandoned, "objects").value_or(0);
  if (objects == 0) return;
  const uint64_t unused_s = NumberAt(abandoned, "oldest_unused_s").value_or(0);
  findings->push_back(
      {"abandoned objects", Verdict::kWarn,
       std::to_string(objects) +
           " unsealed ones that nobody has open; the oldest is '" +
           JsonText(abandoned, "oldest_id") + "' of user " +
           UserName(NumberAt(abandoned, "oldest_uid").value_or(0)) +
           ", made by process " +
           std::to_string(NumberAt(abandoned, "oldest_pid").value_or(0)) +
           ", unused for " + FormatSeconds(static_cast<double>(unused_s)),
       "vitrine ls -lu, vitrine abort ID; vitrined --abandon-after 1h"});
}

}  // namespace

std::string JsonText(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>()
                                                   : std::string();
}

Json JsonObject(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_object() ? *found : Json::object();
}

std::vector<Finding> DiagnoseStatus(const Json& status) {
  std::vector<Finding> findings;
  CheckUser(status, &findings);
  CheckPressure(status, &findings);
  CheckAbandoned(status, &findings);
  return findings;
}

}  // namespace vitrine::tools
