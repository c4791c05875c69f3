// Sizes as people write them.
#ifndef VITRINE_SCHEMA_BASE_SIZE_H_
#define VITRINE_SCHEMA_BASE_SIZE_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace vitrine {

// "8G", "1.5g", "512 MiB", "4096": bytes, or a decimal number and a unit.
// Units are powers of 1024: K, KB and KiB all mean 1024.  A part of a byte is
// dropped.  kInvalidArgument: no size, or more than 64 bits hold.
Result<uint64_t> ParseSize(std::string_view text);

// "8.0 GiB", "512.0 MiB", "17 bytes".
std::string FormatSize(uint64_t bytes);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_SIZE_H_
