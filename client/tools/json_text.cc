#include "client/tools/json_text.h"

#include <nlohmann/json.hpp>

#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

void Put(nlohmann::ordered_json& json, const std::string& key,
         const std::string& bytes) {
  json[key] = bytes;
  if (!IsUtf8(bytes)) json[key + "_hex"] = Hex(bytes);
}

// Octal, as chmod takes it.
std::string ModeText(unsigned mode) {
  std::string text = "0";
  for (int shift = 6; shift >= 0; shift -= 3) {
    text += static_cast<char>('0' + (mode >> shift & 7));
  }
  return text;
}

}  // namespace

std::string Dump(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace);
}

Result<nlohmann::ordered_json> ParseObject(const std::string& text) {
  using Tree = nlohmann::ordered_json;
  constexpr int kMostDepth = 32;
  bool too_deep = false;
  const auto keep = [&too_deep](int depth, Tree::parse_event_t, Tree&) {
    too_deep = too_deep || depth > kMostDepth;
    return !too_deep;
  };
  Tree json = Tree::parse(text, keep, /*allow_exceptions=*/false);
  if (too_deep) return Error{Code::kCorruption, "JSON that is nested too deep"};
  if (!json.is_object()) {
    return Error{Code::kCorruption, "the answer is no JSON object"};
  }
  return json;
}

nlohmann::ordered_json StatToJson(const ObjectStat& stat) {
  nlohmann::ordered_json json;
  Put(json, "id", stat.id.text());
  json["sealed"] = stat.sealed;
  json["size_bytes"] = stat.size_bytes;
  json["mode"] = ModeText(stat.mode);
  json["uid"] = stat.uid;
  json["gid"] = stat.gid;
  json["creator_pid"] = stat.creator_pid;
  json["created_ns"] = stat.created_ns;
  json["sealed_ns"] = stat.sealed_ns;
  json["use_count"] = stat.use_count;
  json["hold"] = stat.hold;
  json["in_use"] = stat.in_use;
  json["tier"] = stat.tier;
  return json;
}

nlohmann::ordered_json MetadataToJson(const Metadata& metadata) {
  auto json = nlohmann::ordered_json::object();
  for (const auto& [name, value] : metadata) Put(json, name, value);
  return json;
}

nlohmann::ordered_json EventToJson(const Event& event) {
  nlohmann::ordered_json json;
  json["event"] = EventName(event.kind);
  if (event.id) {
    Put(json, "id", event.id->text());
    json["size_bytes"] = event.size_bytes;
  }
  json["time_ns"] = event.time_ns;
  return json;
}

const char* EventName(EventKind kind) {
  switch (kind) {
    case EventKind::kSealed:
      return "sealed";
    case EventKind::kEvicted:
      return "evicted";
    case EventKind::kDeleted:
      return "deleted";
    case EventKind::kOverflow:
      return "overflow";
    case EventKind::kExistingDone:
      return "existing-done";
  }
  return "unknown";
}

}  // namespace vitrine::tools
