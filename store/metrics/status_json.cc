#include "store/metrics/status_json.h"

#include <nlohmann/json.hpp>
#include <string>

namespace vitrine::store {
namespace {

using nlohmann::json;

json CleanJson(const std::string& text) {
  const std::string clean =
      json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  return json::parse(clean, nullptr, /*allow_exceptions=*/false);
}

json CleanJson(uint64_t number) { return number; }

json CleanJson(bool flag) { return flag; }

json FamilyJson(const StatusSection::Family& family) {
  json object = json::object();
  for (const auto& [name, number] : family.numbers) {
    object[std::string(name)] = number;
  }
  return object;
}

json ListJson(const StatusSection::List& list) {
  json array = json::array();
  for (const StatusSection& section : list.sections) {
    array.push_back(ToJson(section));
  }
  return array;
}

}  // namespace

json ToJson(const StatusSection& section) {
  json object = json::object();
  for (const auto& [metric, value] : section.values) {
    object[std::string(metric->name)] =
        std::visit([](const auto& plain) { return CleanJson(plain); }, value);
  }
  for (const StatusSection::Family& family : section.families) {
    object[std::string(family.metric->name)] = FamilyJson(family);
  }
  for (const auto& [name, part] : section.parts) object[name] = ToJson(part);
  for (const StatusSection::List& list : section.lists) {
    object[list.name] = ListJson(list);
  }
  return object;
}

}  // namespace vitrine::store
