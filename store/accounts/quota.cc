#include "store/accounts/quota.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "schema/base/size.h"
#include "schema/base/user_names.h"

namespace vitrine::store {
namespace {

Error BadQuota(std::string_view text, const std::string& why) {
  return {Code::kInvalidArgument, "'" + std::string(text) + "': " + why};
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

Status ParseParty(std::string_view kind, std::string_view name, Quota* quota) {
  if (kind != "user" && kind != "group") {
    return Error{Code::kInvalidArgument,
                 "it begins with neither user nor group"};
  }
  quota->kind = kind == "user" ? Party::Kind::kUser : Party::Kind::kGroup;
  if (name == "*") return {};
  const std::string text(name);
  const Result<uint32_t> id =
      quota->kind == Party::Kind::kUser ? FindUser(text) : FindGroup(text);
  if (!id) return id.error();
  quota->id = *id;
  return {};
}

Result<uint64_t> ParseLimit(Resource resource, std::string_view text) {
  if (text == "none") return kUnlimited;
  if (resource == Resource::kMemory) return ParseSize(text);
  if (const auto number = ParseNumber(text)) return *number;
  return Error{Code::kInvalidArgument,
               "'" + std::string(text) + "' is not a number"};
}

// "memory=1G".
Status AddLimit(std::string_view text, Quota* quota) {
  const size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const auto* const found =
      std::find(kResourceNames.begin(), kResourceNames.end(), name);
  if (equals == std::string_view::npos || found == kResourceNames.end()) {
    return Error{Code::kInvalidArgument,
                 "'" + std::string(text) +
                     "' is not memory, objects, unsealed, waiters, "
                     "connections, descriptors or holds, and =LIMIT"};
  }
  const auto resource = static_cast<Resource>(found - kResourceNames.begin());
  const auto limit = ParseLimit(resource, text.substr(equals + 1));
  if (!limit) return limit.error();
  quota->limits.emplace_back(resource, *limit);
  return {};
}

}  // namespace

std::string PartyText(const Party& party) {
  const char* const kind =
      party.kind == Party::Kind::kUser ? "user " : "group ";
  return kind + std::to_string(party.id);
}

Status ParseLimits(std::string_view text, Quota* quota) {
  for (;;) {
    const size_t comma = text.find(',');
    if (Status ok = AddLimit(text.substr(0, comma), quota); !ok) return ok;
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

Result<Quota> ParseQuota(std::string_view text) {
  const size_t first = text.find(':');
  // A name may have no colon.
  const size_t second =
      first == std::string_view::npos ? first : text.find(':', first + 1);
  if (second == std::string_view::npos) {
    return BadQuota(text, "a quota is user:NAME:LIMITS or group:NAME:LIMITS");
  }
  Quota quota;
  const std::string_view name = text.substr(first + 1, second - first - 1);
  if (Status ok = ParseParty(text.substr(0, first), name, &quota); !ok) {
    Error error = BadQuota(text, ok.error().message);
    error.code = ok.error().code;
    return error;
  }
  if (Status ok = ParseLimits(text.substr(second + 1), &quota); !ok) {
    return BadQuota(text, ok.error().message);
  }
  return quota;
}

}  // namespace vitrine::store
