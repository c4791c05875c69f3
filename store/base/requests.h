// Types of the store's requests and answers.
#ifndef VITRINE_STORE_BASE_REQUESTS_H_
#define VITRINE_STORE_BASE_REQUESTS_H_

#include <sys/types.h>
#include <vitrine/metadata.h>
#include <vitrine/object_id.h>
#include <vitrine/result.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "store/base/metadata.h"
#include "store/base/object.h"

namespace vitrine::store {

using Deadline = std::chrono::steady_clock::time_point;
template <typename T>
using Done = std::function<void(Result<T>)>;

// How long a caller waits for space.
struct SpaceWait {
  Deadline deadline = Deadline::max();
  // Give up as soon as nothing more can be evicted (the mount: ENOSPC).
  bool fail_when_stuck = false;
  // Who waits: one who has more than his fair share waits behind the others.
  // None: the store itself.
  std::optional<uid_t> uid = {};
};

// Of memory that the store has for a client.
enum class ClientMemoryNeed : uint8_t {
  kNow,      // Even if something has to be evicted for it, afterwards.
  kIfThere,  // Only without an eviction.
};

struct NewObject {
  Credentials creator;
  mode_t mode = 0644;
  Metadata metadata;
  bool through_mount = false;
};

// An object to be created and sealed at once.  The bytes are copied.
struct SmallObject {
  ObjectId id;
  mode_t mode;  // Permission bits; others may read.
  std::span<const std::byte> data;
  MetadataRef metadata = nullptr;
};

// Memory for objects to come.
struct NewBlank {
  Credentials creator;
  mode_t mode = 0644;
  uint64_t size_bytes = 0;
};

// What a blank becomes.
struct BlankSeal {
  ObjectId id;
  uint64_t size_bytes = 0;  // At most the blank's.
  MetadataRef metadata = nullptr;
};

// Who gets a segment's own pages to write to.  Such a user may keep them pinned
// when nothing of the segment is open or mapped any more.
using PageHolder = std::optional<uid_t>;
inline constexpr PageHolder kStoreItself = std::nullopt;

// How the writes of a writer through the mount reach the memory.
enum class WriteMode : uint8_t {
  kPassthrough,  // The kernel writes to the segment; the store watches.
  kCarried,      // Each write comes to the store and may wait for space.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_REQUESTS_H_
