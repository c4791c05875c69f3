#ifndef VITRINE_STORE_BASE_STORE_OPTIONS_H_
#define VITRINE_STORE_BASE_STORE_OPTIONS_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/accounts/quota.h"
#include "store/base/access.h"

namespace vitrine::store {

class Tier;

enum class Switch : uint8_t { kAuto, kOn, kOff };

// Whose objects get new pages at the seal.  kAuto: those whose pages anybody
// had for writing who is neither root nor the store's user.  kAlways: those
// whose pages any client had.
enum class SealCopy : uint8_t { kAuto, kAlways, kNever };

// What becomes of sealed objects when the store ends in good order.  kDrop:
// they are gone, also from the tier.  kSpill: those that are only in memory go
// to the tier, too.  kKeep: the memory stays for the next start.
enum class OnExit : uint8_t { kDrop, kSpill, kKeep };

struct NumaOptions {
  enum class Mode : uint8_t { kLocal, kInterleave, kNode };

  Mode mode = Mode::kLocal;
  unsigned node = 0;  // For kNode.
};

struct StoreOptions {
  std::optional<uint64_t> capacity_bytes;   // Default: 30% of memory.
  std::optional<uint64_t> overshoot_bytes;  // Default: an eighth of that.
  std::string state_dir;                    // Catalog and lock file.
  mode_t catalog_mode = 0600;               // Of the catalog's files.
  Access access;           // To the socket, the memory and the mount.
  std::string memory_dir;  // Empty: its own tmpfs, or a private directory.
  Switch huge_pages = Switch::kAuto;
  NumaOptions numa;
  // Memory of deleted objects kept for new ones.  Default: half of the
  // capacity.
  std::optional<uint64_t> pool_bytes;
  // Smaller objects of native clients go into slabs, unless `strict`.
  uint64_t dedicated_threshold_bytes = 128 * 1024;
  bool strict = false;
  SealCopy seal_copy = SealCopy::kAuto;
  // Start even if all objects of a killed store are lost by that.
  bool recover = false;
  // Unsealed objects of the mount are aborted if nobody has had them open or
  // changed them for so long.  None: never.
  std::optional<std::chrono::seconds> abandon_after;
  // What users and groups may have; a later one wins.
  std::vector<Quota> quotas;
  // Where evicted objects go, the first one that takes them: URLs, see
  // store/tiers/external_store.h.  None: nowhere, they are gone.
  std::vector<std::string> external_stores;
  std::optional<uint64_t> spill_limit_bytes;  // Of each that is local.
  std::shared_ptr<Tier> tier;                 // In place of `external_stores`.
  // Default: kSpill with a tier that lasts, kDrop without one.
  std::optional<OnExit> on_exit;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_STORE_OPTIONS_H_
