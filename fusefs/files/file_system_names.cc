// FileSystem: look-up, unlink, rename, links.
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "fusefs/files/file_system.h"

namespace vitrine::fusefs {
namespace {

// A seal is tried again after 1, 2, 4, ... ms.  It is tried up to 512 ms if
// every writer has closed and only RELEASE is to come, which takes long on a
// busy machine: `cp` and then `mv` must not fail.  Otherwise it is tried only
// as long as a call under way may have the segment open, because a rename locks
// both directories.  So it is, too, after it was tried in vain: somebody has
// the object mapped.
constexpr int kPatientSealAttempts = 11;
constexpr int kSealAttempts = 6;

Answer<ObjectId> ParseName(std::string_view name) {
  if (name.size() > ObjectId::kMaxBytes) return Errno{ENAMETOOLONG};
  auto id = ObjectId::FromText(name);
  if (!id) return Errno{EINVAL};
  return *std::move(id);
}

fuse_entry_param EntryOf(uint64_t node, const Attributes& attributes,
                         double name_valid_seconds) {
  fuse_entry_param entry{};
  entry.ino = node;
  entry.attr = attributes.stat;
  entry.attr_timeout = std::max(attributes.valid_seconds, kThisCallSeconds);
  entry.entry_timeout = name_valid_seconds;
  return entry;
}

uint64_t NodeOf(const ObjectRef& object) {
  return ObjectNode(store::NumberOf(*object));
}

// The kernel has asked the same of the object that had the name when it looked.
// By now another one may have it.
bool MayTakeName(const ObjectInfo& info, const Credentials& who) {
  return store::IsOwner(info, who) || store::IsTrusted(who.uid);
}

}  // namespace

Answer<ObjectRef> FileSystem::Find(uint64_t dir, std::string_view name) {
  const auto id = ParseName(name);
  if (!id) return Errno{id.error()};
  auto object = dir == kUnsealedDir ? store_->unsealed().FindUnsealed(*id)
                                    : store_->sealed().FindSealed(*id);
  if (object) return *std::move(object);
  // An object that is being written has no name here.
  if (object.error().code == Code::kNotSealed) return Errno{ENOENT};
  return object.error();
}

Answer<fuse_entry_param> FileSystem::Lookup(uint64_t dir, std::string_view name,
                                            uid_t uid) {
  if (dir == kRootNode || dir == kInfoDir) return LookupFixed(dir, name);
  if (KindOf(dir) != NodeKind::kFixed || dir == kStatusFile) {
    return Errno{ENOTDIR};
  }
  const auto object = Find(dir, name);
  if (object) return MakeEntry(dir, *object);
  if (dir != kWaitDir || object.error() != ENOENT) {
    return Errno{object.error()};
  }
  const auto id = ParseName(name);
  if (!id) return Errno{id.error()};
  return MakeWait(*id, uid);
}

Answer<fuse_entry_param> FileSystem::LookupFixed(uint64_t dir,
                                                 std::string_view name) {
  uint64_t node = 0;
  if (dir == kInfoDir) {
    if (name == "status") node = kStatusFile;
  } else if (name == "unsealed") {
    node = kUnsealedDir;
  } else if (name == "sealed") {
    node = kSealedDir;
  } else if (name == "wait") {
    node = kWaitDir;
  } else if (name == "direct") {
    node = kDirectDir;
  } else if (name == ".vitrine") {
    node = kInfoDir;
  }
  if (node == 0) return Errno{ENOENT};
  return EntryOf(node, OfFixed(node, owner_, changed_ns_), kForeverSeconds);
}

Answer<fuse_entry_param> FileSystem::MakeEntry(uint64_t dir,
                                               const ObjectRef& object) {
  // Adds the node before it asks whether the object is still there: if the
  // object goes from now on, the kernel is told (see ForgetSoon).
  const bool link = dir == kDirectDir;
  const uint64_t number = store_->objects().Info(object).number;
  const uint64_t node = link ? DirectNode(number) : ObjectNode(number);
  nodes_.Add(node, object, dir);
  const ObjectInfo info = store_->objects().Info(object);
  const ObjectState wanted =
      dir == kUnsealedDir ? ObjectState::kUnsealed : ObjectState::kSealed;
  if (info.state != wanted) {
    nodes_.Forget(node, 1);
    return Errno{ENOENT};
  }
  const bool for_ever = dir == kSealedDir || link;
  const Attributes attributes =
      link ? OfDirect(info, DirectPath(object, info).size())
           : OfObject(info, write_bytes_);
  return EntryOf(node, attributes, for_ever ? kForeverSeconds : 0);
}

fuse_entry_param FileSystem::MakeWait(const ObjectId& id, uid_t uid) {
  const uint64_t node = wait_nodes_.Add(id, uid);
  return EntryOf(node, OfWait(node, owner_), 0);
}

void FileSystem::Forget(uint64_t node, uint64_t lookups) {
  if (KindOf(node) == NodeKind::kFixed) return;
  if (IsWait(node)) return wait_nodes_.Forget(node);
  nodes_.Forget(node, lookups);
}

std::string FileSystem::DirectPath(const ObjectRef& object,
                                   const ObjectInfo& info) {
  // A slab has no file that begins with the object.
  return info.in_slab() ? "../sealed/" + info.id.text()
                        : store_->objects().SegmentPath(object);
}

Answer<std::string> FileSystem::ReadLink(uint64_t node) {
  const ObjectRef object = nodes_.FindObject(node);
  if (!object || KindOf(node) != NodeKind::kDirect) return Errno{EINVAL};
  return DirectPath(object, store_->objects().Info(object));
}

Answer<void> FileSystem::Unlink(uint64_t dir, std::string_view name,
                                const Credentials& who) {
  if (dir != kUnsealedDir && dir != kSealedDir) return Errno{EPERM};
  const auto object = Find(dir, name);
  if (!object) return Errno{object.error()};
  if (dir == kUnsealedDir &&
      !MayTakeName(store_->objects().Info(*object), who)) {
    return Errno{EPERM};
  }
  return Delete(dir, *object, who);
}

uint64_t FileSystem::NoteDropping(const ObjectRef& object, uint64_t dir) {
  const uint64_t number = store::NumberOf(*object);
  MutexLock lock(deleting_mutex_);
  deleting_[number] = dir;
  return number;
}

void FileSystem::NoteDropped(uint64_t number) {
  MutexLock lock(deleting_mutex_);
  deleting_.erase(number);
}

Answer<void> FileSystem::Delete(uint64_t dir, const ObjectRef& object,
                                const Credentials& who) {
  const uint64_t number = NoteDropping(object, dir);
  const Status deleted = dir == kSealedDir
                             ? store_->sealed().Delete(object, who)
                             : store_->unsealed().Abort(object);
  NoteDropped(number);
  return deleted;
}

void FileSystem::Rename(uint64_t dir, std::string_view name, uint64_t new_dir,
                        std::string_view new_name, unsigned int flags,
                        const Credentials& who, OnAnswer<void> done) {
  if ((flags & ~static_cast<unsigned int>(RENAME_NOREPLACE)) != 0) {
    return done(Errno{EINVAL});
  }
  const bool seals = new_dir == kSealedDir;
  if (dir != kUnsealedDir || (new_dir != kUnsealedDir && !seals)) {
    return done(Errno{EPERM});
  }
  const auto object = Find(dir, name);
  if (!object) return done(Errno{object.error()});
  if (!MayTakeName(store_->objects().Info(*object), who)) {
    return done(Errno{EPERM});
  }
  const auto id = ParseName(new_name);
  if (!id) return done(Errno{id.error()});
  if (seals) {
    // Before the object can go from there.
    nodes_.AddName(NodeOf(*object), kSealedDir);
    return Seal(*object, *id, 0, std::move(done));
  }
  const bool no_replace = (flags & RENAME_NOREPLACE) != 0;
  const auto replaced = store_->unsealed().FindUnsealed(*id);
  if (replaced && !MayTakeName(store_->objects().Info(*replaced), who)) {
    return done(Errno{EPERM});
  }
  const uint64_t number =
      replaced ? NoteDropping(*replaced, kUnsealedDir) : uint64_t{0};
  const Status renamed = store_->unsealed().Rename(*object, *id, no_replace);
  if (replaced) NoteDropped(number);
  done(renamed);
}

void FileSystem::Seal(const ObjectRef& object, const ObjectId& id, int attempt,
                      OnAnswer<void> done) {
  // Asks before the attempt: a writer that is released meanwhile is a reason
  // for another attempt.
  const bool closing = objects_->WritersAreClosing(store::NumberOf(*object));
  const int attempts = closing ? kPatientSealAttempts : kSealAttempts;
  store_->unsealed().Seal(
      object, id,
      [weak = weak_from_this(), object, id, attempt, attempts,
       done = std::move(done)](Status sealed) {
        const bool in_use = !sealed && sealed.error().code == Code::kInUse;
        const auto self = weak.lock();
        if (!self) return done(Errno{ENOTCONN});
        if (sealed) self->nodes_.DropName(NodeOf(object), kUnsealedDir);
        if (!in_use) return done(sealed);
        if (attempt + 1 >= attempts) {
          self->objects_->NotePatienceInVain(store::NumberOf(*object));
          return done(sealed);
        }
        self->SealAgain(object, id, attempt, done);
      });
}

void FileSystem::SealAgain(const ObjectRef& object, const ObjectId& id,
                           int attempt, OnAnswer<void> done) {
  tasks_.RunAfter(std::chrono::milliseconds(1 << attempt),
                  [this, object, id, attempt, done = std::move(done)] {
                    Seal(object, id, attempt + 1, done);
                  });
}

}  // namespace vitrine::fusefs
