#include "store/tiers/external_store.h"

#include <algorithm>
#include <map>
#include <utility>

namespace vitrine::store {
namespace {

constexpr size_t kMaxNameBytes = 200;

using Connectors = std::map<std::string, ExternalStore::Connector, std::less<>>;

// Made by the first who registers; changed only before main().
Connectors& AllConnectors() {
  static Connectors connectors;
  return connectors;
}

std::string SchemesInWords() {
  std::string words;
  for (const std::string& scheme : ExternalStore::Schemes()) {
    words += (words.empty() ? "" : ", ") + scheme;
  }
  return words.empty() ? "none" : words;
}

bool IsNameByte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' ||
         byte == '-';
}

}  // namespace

Result<std::unique_ptr<ExternalStoreHandle>> ExternalStore::Connect(
    std::string_view url) {
  const size_t end = url.find("://");
  const auto found =
      AllConnectors().find(url.substr(0, std::min(end, url.size())));
  if (end == std::string_view::npos || found == AllConnectors().end()) {
    return Error{Code::kInvalidArgument,
                 "no external store is known by `" + std::string(url) +
                     "`; those that are begin with: " + SchemesInWords()};
  }
  return found->second(url);
}

std::vector<std::string> ExternalStore::Schemes() {
  std::vector<std::string> schemes;
  for (const auto& connector : AllConnectors()) {
    schemes.push_back(connector.first);
  }
  return schemes;
}

ExternalStore::Scheme::Scheme(const char* scheme, Connector connect) {
  AllConnectors()[scheme] = std::move(connect);
}

bool IsExternalName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), IsNameByte);
}

}  // namespace vitrine::store
