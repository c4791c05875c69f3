// Metadata and other bytes that clients send.
#ifndef VITRINE_STORE_SERVER_SERVER_METADATA_H_
#define VITRINE_STORE_SERVER_SERVER_METADATA_H_

#include <vitrine/metadata.h>
#include <vitrine/result.h>

#include <cstdint>
#include <string>
#include <vector>

#include "schema/protocol.h"

namespace vitrine::store::server {

using MetadataEntries =
    flatbuffers::Vector<flatbuffers::Offset<protocol::MetadataEntry>>;

// Empty without `bytes`.
std::string ToString(const flatbuffers::Vector<uint8_t>* bytes);

// Of a message that the verifier accepted; null: there are none.
// kInvalidArgument.
Result<Metadata> ReadMetadata(const MetadataEntries* entries);
// Of a buffer that should be a MetadataList.  kInvalidArgument.
Result<Metadata> ReadMetadataList(const std::vector<uint8_t>& bytes);

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_METADATA_H_
