#include "store/base/metadata.h"

#include <utility>

namespace vitrine::store {

const MetadataRef& NoMetadata() {
  static const auto none = std::make_shared<const Metadata>();
  return none;
}

MetadataRef ShareMetadata(Metadata metadata) {
  if (metadata.empty()) return nullptr;
  return std::make_shared<const Metadata>(std::move(metadata));
}

const Metadata& MetadataOf(const MetadataRef& metadata) {
  return metadata != nullptr ? *metadata : *NoMetadata();
}

uint64_t MetadataBytes(const Metadata& metadata) {
  uint64_t bytes = 0;
  for (const auto& [name, value] : metadata) {
    bytes += name.size() + value.size();
  }
  return bytes;
}

}  // namespace vitrine::store
