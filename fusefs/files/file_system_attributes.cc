// FileSystem: attributes, and how they are changed.
#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "fusefs/files/charge_wait.h"
#include "fusefs/files/file_system.h"
#include "fusefs/files/space_wait.h"

namespace vitrine::fusefs {
namespace {

constexpr int kOwner = FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;
constexpr int kModified = FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW;
constexpr int kAccessed = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW;
constexpr int kChanges =
    FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_SIZE | kOwner | kModified | kAccessed;

int64_t ToNs(const timespec& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

int64_t ModifiedNs(const FileSystem::SetAttributes& wanted) {
  if ((wanted.which & FUSE_SET_ATTR_MTIME_NOW) == 0) {
    return ToNs(wanted.stat.st_mtim);
  }
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return ToNs(now);
}

}  // namespace

Answer<Attributes> FileSystem::GetAttributes(uint64_t node) {
  switch (KindOf(node)) {
    case NodeKind::kFixed:
      return OfFixed(node, owner_, changed_ns_);
    case NodeKind::kWait:
      return OfWait(node, owner_);
    case NodeKind::kObject:
    case NodeKind::kDirect:
      break;
  }
  const ObjectRef object = nodes_.FindObject(node);
  if (!object) return Errno{ESTALE};
  const ObjectInfo info = store_->objects().Info(object);
  if (KindOf(node) == NodeKind::kObject) return OfObject(info, write_bytes_);
  return OfDirect(info, DirectPath(object, info).size());
}

void FileSystem::Set(uint64_t node, const SetAttributes& wanted,
                     const Payer& who, OnAnswer<Attributes> done) {
  if ((wanted.which & kChanges) == 0) return done(GetAttributes(node));
  const ObjectRef object = nodes_.FindObject(node);
  if (!object || KindOf(node) != NodeKind::kObject) return done(Errno{EPERM});
  // A sealed object is immutable, for root as well.
  if (store_->objects().Info(object).state == ObjectState::kSealed) {
    return done(Errno{EPERM});
  }
  auto finish = [weak = weak_from_this(), node, object, wanted,
                 done = std::move(done)](Answer<void> sized) {
    const auto self = weak.lock();
    if (!self) return done(Errno{ENOTCONN});
    if (!sized) return done(Errno{sized.error()});
    const auto set = self->SetWithoutSize(object, wanted);
    if (!set) return done(Errno{set.error()});
    done(self->GetAttributes(node));
  };
  if ((wanted.which & FUSE_SET_ATTR_SIZE) == 0) return finish(Answer<void>());
  if (wanted.stat.st_size < 0) return finish(Errno{EINVAL});
  const auto wait = ChargeWait(store_, who);
  if (!wait) return finish(wait.error());
  store_->memory().Resize(object, static_cast<uint64_t>(wanted.stat.st_size),
                          BoundedWait(),
                          [finish = std::move(finish),
                           wait = *wait](Status resized) { finish(resized); });
}

Answer<void> FileSystem::SetWithoutSize(const ObjectRef& object,
                                        const SetAttributes& wanted) {
  if ((wanted.which & FUSE_SET_ATTR_MODE) != 0) {
    const Status set =
        store_->unsealed().SetMode(object, wanted.stat.st_mode & 0777);
    if (!set) return set;
  }
  if ((wanted.which & kOwner) != 0) {
    const ObjectInfo info = store_->objects().Info(object);
    const bool uid = (wanted.which & FUSE_SET_ATTR_UID) != 0;
    const bool gid = (wanted.which & FUSE_SET_ATTR_GID) != 0;
    const Status set =
        store_->unsealed().SetOwner(object, uid ? wanted.stat.st_uid : info.uid,
                                    gid ? wanted.stat.st_gid : info.gid);
    if (!set) return set;
  }
  if ((wanted.which & kModified) != 0) {
    return store_->unsealed().SetModified(object, ModifiedNs(wanted));
  }
  return Answer<void>();
}

}  // namespace vitrine::fusefs
