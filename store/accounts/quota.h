// Quotas: how much of what a user or a group may have.
#ifndef VITRINE_STORE_ACCOUNTS_QUOTA_H_
#define VITRINE_STORE_ACCOUNTS_QUOTA_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vitrine::store {

// What is counted.
enum class Resource : uint8_t {
  // Bytes of objects, blanks, clients' pages and rings, and of what the mount
  // keeps: texts of open `status` files, writes that wait.
  kMemory,
  kObjects,   // Sealed and unsealed.
  kUnsealed,  // Unsealed objects.
  // Ids of Wait messages; opens in wait/ (a look-up there is none); requests of
  // the mount that wait for memory, until the store has answered.
  kWaiters,
  kConnections,  // To the socket.
  // Of the store, for files that are open through the mount; as many for its
  // open directories and `status` files.
  kDescriptors,
  kHolds,  // Objects that are held.
};
inline constexpr size_t kResources = 7;
// In the order of the enumeration; also the words of options and of `status`.
inline constexpr std::array<const char*, kResources> kResourceNames = {
    "memory",      "objects",     "unsealed", "waiters",
    "connections", "descriptors", "holds"};

// An amount of each resource.
using Amounts = std::array<uint64_t, kResources>;
inline constexpr uint64_t kUnlimited = UINT64_MAX;

constexpr uint64_t& AmountOf(Amounts& amounts, Resource resource) {
  return amounts[static_cast<size_t>(resource)];
}
constexpr uint64_t AmountOf(const Amounts& amounts, Resource resource) {
  return amounts[static_cast<size_t>(resource)];
}
constexpr Amounts OnlyOf(Resource resource, uint64_t amount) {
  Amounts amounts = {};
  AmountOf(amounts, resource) = amount;
  return amounts;
}

// A user or a group.
struct Party {
  enum class Kind : uint8_t { kUser, kGroup };

  Kind kind = Kind::kUser;
  uint32_t id = 0;  // uid_t or gid_t.

  auto operator<=>(const Party&) const = default;
};

// "user 1000", "group 1000".  (A name may have to be asked of another host.)
std::string PartyText(const Party& party);

// Limits of one party, or of each that has none of its own.
struct Quota {
  Party::Kind kind = Party::Kind::kUser;
  std::optional<uint32_t> id;  // None: each that has no limit of its own.
  // Those that are not named stay as they are.
  std::vector<std::pair<Resource, uint64_t>> limits;
};

// "user:alice:memory=1G,objects=1000": user or group, a name, a number or `*`
// (each that has no limit of its own), and limits: a size for memory, a number
// for the others, or `none`.  kInvalidArgument: it is not of this form;
// kNotFound: there is no such user or group.
Result<Quota> ParseQuota(std::string_view text);
// Adds limits such as "memory=1G,objects=1000".  kInvalidArgument: they are not
// of this form.
Status ParseLimits(std::string_view text, Quota* quota);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ACCOUNTS_QUOTA_H_
