// Values of an external store that are no spilled objects: 8 bytes that say
// what it is, the XXH3-128 of the rest (low half first), and the rest.
#ifndef VITRINE_STORE_TIERS_SMALL_VALUE_H_
#define VITRINE_STORE_TIERS_SMALL_VALUE_H_

#include <vitrine/result.h>

#include <string>
#include <string_view>

namespace vitrine::store {

// `magic` has 8 bytes.
std::string EncodeSmallValue(std::string_view magic, std::string_view payload);
// The payload, which is a part of `value`.  kCorruption: it is none.
Result<std::string_view> DecodeSmallValue(std::string_view magic,
                                          std::string_view value);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_SMALL_VALUE_H_
