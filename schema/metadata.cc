#include <vitrine/metadata.h>

#include "schema/submission_ring.h"

namespace vitrine {
namespace {

bool ValidName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxMetadataNameBytes &&
         name.find('\0') == name.npos && name.rfind("vitrine.", 0) != 0;
}

}  // namespace

Status CheckMetadata(const Metadata& metadata) {
  size_t bytes = 0;
  for (const auto& [name, value] : metadata) {
    if (!ValidName(name)) {
      return Error{Code::kInvalidArgument, "bad metadata name `" + name + "`"};
    }
    bytes += name.size() + value.size();
  }
  if (bytes > kMaxMetadataBytes) {
    return Error{Code::kInvalidArgument,
                 "metadata has " + std::to_string(bytes) + " bytes; at most " +
                     std::to_string(kMaxMetadataBytes) + " are allowed"};
  }
  return Status();
}

uint64_t RecordMetadataBytes(const Metadata& metadata) {
  constexpr uint64_t kBytes = 32;
  uint64_t bytes = metadata.empty() ? 0 : kBytes;
  for (const auto& [name, value] : metadata) {
    bytes += kBytes + name.size() + value.size();
  }
  return bytes;
}

}  // namespace vitrine
