// Metadata as the parts of the store share it.
#ifndef VITRINE_STORE_BASE_METADATA_H_
#define VITRINE_STORE_BASE_METADATA_H_

#include <vitrine/metadata.h>

#include <cstdint>
#include <memory>

namespace vitrine::store {

// Null: there is none, as for most objects.
using MetadataRef = std::shared_ptr<const Metadata>;

// Never null.  Objects without any share one.
const MetadataRef& NoMetadata();
// Null if `metadata` is empty.
MetadataRef ShareMetadata(Metadata metadata);
const Metadata& MetadataOf(const MetadataRef& metadata);

// All names and values together.
uint64_t MetadataBytes(const Metadata& metadata);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_METADATA_H_
