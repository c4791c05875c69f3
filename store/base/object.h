// Objects as the front ends see them: handles, snapshots, credentials.
#ifndef VITRINE_STORE_BASE_OBJECT_H_
#define VITRINE_STORE_BASE_OBJECT_H_

#include <sys/types.h>
#include <vitrine/metadata.h>
#include <vitrine/object_id.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/accounts/payer.h"

namespace vitrine::store {

// One object, opaque: all operations on it are methods of Store.  A handle
// stays valid after the object is gone.
class ObjectRecord;
using ObjectRef = std::shared_ptr<ObjectRecord>;

// kBlank: memory for an object to come; its id is a stand-in.
enum class ObjectState : uint8_t { kUnsealed, kSealed, kGone, kBlank };

// The credentials of a peer on the socket or a caller of the mount.
struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups;  // Supplementary.
};

inline Payer PayerOf(const Credentials& who) { return {who.uid, who.gid}; }

inline constexpr uint64_t kLeftSlab = UINT64_MAX;

// A snapshot.  Times: nanoseconds since 1970; 0: not yet.
struct ObjectInfo {
  uint64_t number = 0;  // Never used twice.
  ObjectId id;
  ObjectState state = ObjectState::kUnsealed;
  uint64_t size_bytes = 0;     // Of an unsealed object: as last seen.
  uint64_t charged_bytes = 0;  // Memory that is charged for it.
  // Memory that an unsealed one takes, as last seen: its file may have holes.
  uint64_t allocated_bytes = 0;
  mode_t mode = 0;  // Permission bits.
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t creator_pid = 0;
  int64_t created_ns = 0;
  int64_t modified_ns = 0;
  int64_t sealed_ns = 0;
  int64_t used_ns = 0;     // Last known use.
  uint64_t use_count = 0;  // Known uses; gets by native clients are sampled.
  bool hold = false;
  bool elsewhere = false;  // Sealed, and its bytes are not in memory.
  bool copied = false;     // The tier has its bytes.
  // The slab with its bytes, which small sealed objects share.  0: its bytes
  // are in a segment of its own, which has its number.  kLeftSlab: it was in a
  // slab, and is elsewhere or gone.
  uint64_t slab = 0;
  uint64_t offset_bytes = 0;
  // All of its pages are recycled from another object.
  bool recycled = false;

  bool in_slab() const { return slab != 0; }
  uint64_t segment() const { return in_slab() ? slab : number; }
};

// Where its bytes are, for people.
inline const char* TierName(const ObjectInfo& info) {
  return info.elsewhere ? "external" : "memory";
}

// Notes that the bytes of a sealed object are only in the tier.
inline void MarkElsewhere(ObjectInfo* info) {
  info->elsewhere = info->copied = true;
  if (info->in_slab()) info->slab = kLeftSlab;
  info->offset_bytes = 0;
}

// Who pays for it: its owner.
inline Payer PayerOf(const ObjectInfo& info) { return {info.uid, info.gid}; }

// An object in a listing.
struct ListedObject {
  ObjectInfo info;
  bool in_use;
};

// The number of an object (ObjectInfo::number), without any lock.
uint64_t NumberOf(const ObjectRecord& object);
// True if the permission bits of `info` let `who` read it; `who` root: always.
bool MayRead(const ObjectInfo& info, const Credentials& who);
// Root and the store's user, who can write to all of its memory anyway.
bool IsTrusted(uid_t uid);
// True if `who` is the owner of `info`, or root.
bool IsOwner(const ObjectInfo& info, const Credentials& who);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_OBJECT_H_
