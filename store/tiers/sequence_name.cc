#include "store/tiers/sequence_name.h"

#include <array>
#include <charconv>
#include <cstdio>

namespace vitrine::store {

std::string SequenceName(std::string_view prefix, uint64_t sequence) {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx",
                static_cast<unsigned long long>(sequence));
  return std::string(prefix) + digits.data();
}

std::optional<uint64_t> ParseSequenceName(std::string_view prefix,
                                          std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  uint64_t sequence = 0;
  const auto read = std::from_chars(name.data() + prefix.size(),
                                    name.data() + name.size(), sequence, 16);
  // Every name that is written otherwise is somebody else's.
  if (read.ec != std::errc() || SequenceName(prefix, sequence) != name) {
    return std::nullopt;
  }
  return sequence;
}

}  // namespace vitrine::store
