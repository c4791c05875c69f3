#include "store/server/server_metadata.h"

#include <string>
#include <utility>

namespace vitrine::store::server {

std::string ToString(const flatbuffers::Vector<uint8_t>* bytes) {
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

Result<Metadata> ReadMetadata(const MetadataEntries* entries) {
  Metadata metadata;
  if (entries == nullptr) return metadata;
  uint64_t bytes = 0;
  for (const protocol::MetadataEntry* entry : *entries) {
    bytes += entry->name()->size() +
             (entry->value() != nullptr ? entry->value()->size() : 0);
    if (bytes > kMaxMetadataBytes) {  // Before it is copied.
      return Error{Code::kInvalidArgument, "too much metadata"};
    }
    if (!metadata.emplace(entry->name()->str(), ToString(entry->value()))
             .second) {
      return Error{Code::kInvalidArgument, "a metadata name comes twice"};
    }
  }
  if (Status checked = CheckMetadata(metadata); !checked) {
    return checked.error();
  }
  return metadata;
}

Result<Metadata> ReadMetadataList(const std::vector<uint8_t>& bytes) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  if (!verifier.VerifyBuffer<protocol::MetadataList>(nullptr)) {
    return Error{Code::kInvalidArgument, "no list of metadata"};
  }
  return ReadMetadata(
      flatbuffers::GetRoot<protocol::MetadataList>(bytes.data())->entries());
}

}  // namespace vitrine::store::server
