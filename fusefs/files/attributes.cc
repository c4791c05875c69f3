#include "fusefs/files/attributes.h"

#include "fusefs/files/node_id.h"

namespace vitrine::fusefs {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr blksize_t kPreferredBlockBytes = 4096;

timespec ToTimespec(int64_t ns) {
  timespec time;
  time.tv_sec = ns / kNsPerSecond;
  time.tv_nsec = ns % kNsPerSecond;
  if (time.tv_nsec < 0) {
    time.tv_nsec += kNsPerSecond;
    --time.tv_sec;
  }
  return time;
}

void SetTimes(struct stat* stat, int64_t modified_ns, int64_t changed_ns) {
  stat->st_mtim = ToTimespec(modified_ns);
  stat->st_atim = stat->st_mtim;
  stat->st_ctim = ToTimespec(changed_ns);
}

mode_t FixedMode(uint64_t node, mode_t root_mode) {
  switch (node) {
    case kUnsealedDir:
    case kSealedDir:
      return S_IFDIR | S_ISVTX | 0777;
    case kInfoDir:
    case kDirectDir:
    case kWaitDir:
      return S_IFDIR | 0555;
    case kStatusFile:
      return S_IFREG | 0444;
    default:
      return S_IFDIR | root_mode;
  }
}

// The kernel may keep the answer for ever: an object that is elsewhere is shown
// as it is in memory, not as a hole.
uint64_t TakenBytes(const ObjectInfo& info) {
  if (info.state == ObjectState::kUnsealed) return info.allocated_bytes;
  const bool counted = info.state == ObjectState::kSealed && !info.elsewhere;
  return counted ? info.charged_bytes : info.size_bytes;
}

}  // namespace

Attributes OfObject(const ObjectInfo& info, uint64_t write_bytes) {
  Attributes attributes;
  struct stat& stat = attributes.stat;
  const bool sealed = info.state == ObjectState::kSealed;
  stat.st_ino = ObjectNode(info.number);
  stat.st_mode = S_IFREG | (info.mode & 0777);
  stat.st_nlink = info.state == ObjectState::kGone ? 0 : 1;
  stat.st_uid = info.uid;
  stat.st_gid = info.gid;
  stat.st_size = static_cast<off_t>(info.size_bytes);
  // Programs such as cp read and write in units of this size.
  stat.st_blksize =
      sealed ? kPreferredBlockBytes : static_cast<blksize_t>(write_bytes);
  stat.st_blocks = static_cast<blkcnt_t>((TakenBytes(info) + 511) / 512);
  SetTimes(&stat, info.modified_ns,
           info.sealed_ns != 0 ? info.sealed_ns : info.modified_ns);
  attributes.valid_seconds = sealed ? kForeverSeconds : 0;
  return attributes;
}

Attributes OfFixed(uint64_t node, const FixedOwner& owner, int64_t changed_ns) {
  Attributes attributes;
  struct stat& stat = attributes.stat;
  stat.st_ino = node;
  stat.st_mode = FixedMode(node, owner.root_mode);
  stat.st_nlink = S_ISDIR(stat.st_mode) ? 2 : 1;
  stat.st_uid = owner.uid;
  stat.st_gid = owner.gid;
  stat.st_blksize = kPreferredBlockBytes;
  const bool changes = node == kUnsealedDir || node == kSealedDir;
  const int64_t time_ns = changes ? changed_ns : owner.since_ns;
  SetTimes(&stat, time_ns, time_ns);
  attributes.valid_seconds = kForeverSeconds;
  return attributes;
}

Attributes OfDirect(const ObjectInfo& info, size_t path_bytes) {
  Attributes attributes = OfObject(info, kPreferredBlockBytes);
  struct stat& stat = attributes.stat;
  stat.st_ino = DirectNode(info.number);
  stat.st_mode = S_IFLNK | 0777;
  stat.st_size = static_cast<off_t>(path_bytes);
  stat.st_blocks = 0;
  return attributes;
}

Attributes OfWait(uint64_t node, const FixedOwner& owner) {
  Attributes attributes;
  struct stat& stat = attributes.stat;
  stat.st_ino = node;
  stat.st_mode = S_IFREG | 0444;
  stat.st_nlink = 1;
  stat.st_uid = owner.uid;
  stat.st_gid = owner.gid;
  stat.st_blksize = kPreferredBlockBytes;
  SetTimes(&stat, owner.since_ns, owner.since_ns);
  return attributes;
}

}  // namespace vitrine::fusefs
