// An object's metadata: names and values that its creator sets.
#ifndef VITRINE_METADATA_H_
#define VITRINE_METADATA_H_

#include <vitrine/result.h>

#include <cstddef>
#include <map>
#include <string>

namespace vitrine {

// Names to values (any bytes).  Through the mount, `name` is the extended
// attribute `user.<name>`.  Immutable once the object is sealed.
using Metadata = std::map<std::string, std::string>;

// Limits: a name has 1 to 250 bytes without NUL and does not start with
// `vitrine.`; all names and values together have at most kMaxMetadataBytes.
inline constexpr size_t kMaxMetadataNameBytes = 250;
inline constexpr size_t kMaxMetadataBytes = 32 * 1024;

// kInvalidArgument: `metadata` breaks a limit.
Status CheckMetadata(const Metadata& metadata);

}  // namespace vitrine

#endif  // VITRINE_METADATA_H_
