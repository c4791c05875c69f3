// Names of values that have a sequence: a prefix and 16 hex digits.
#ifndef VITRINE_STORE_TIERS_SEQUENCE_NAME_H_
#define VITRINE_STORE_TIERS_SEQUENCE_NAME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vitrine::store {

std::string SequenceName(std::string_view prefix, uint64_t sequence);
// None: no such name.
std::optional<uint64_t> ParseSequenceName(std::string_view prefix,
                                          std::string_view name);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_SEQUENCE_NAME_H_
