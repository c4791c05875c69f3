// FileSystem: opening files.
#include <fcntl.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "fusefs/files/charge_wait.h"
#include "fusefs/files/file_system.h"
#include "fusefs/files/space_wait.h"
#include "fusefs/kernel/kernel_abi.h"

namespace vitrine::fusefs {
namespace {

// O_RDONLY with O_TRUNC truncates, too.
bool WantsToWrite(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
}

bool IsGone(Code code) {
  return code == Code::kNotFound || code == Code::kGone;
}

}  // namespace

// --- opening ---

Answer<FileSystem::Opened> FileSystem::Open(uint64_t node, int flags,
                                            const Payer& who) {
  if (node == kStatusFile) return OpenStatus(flags, who);
  const ObjectRef object = nodes_.FindObject(node);
  if (!object || KindOf(node) != NodeKind::kObject) return Errno{ESTALE};
  return OpenObject(object, {.flags = flags, .who = who});
}

bool FileSystem::IsElsewhere(uint64_t node) const {
  const ObjectRef object = nodes_.FindObject(node);
  return object && store_->objects().Info(object).elsewhere;
}

void FileSystem::BringBack(uint64_t node, const Payer& who,
                           OnAnswer<void> done) {
  const ObjectRef object = nodes_.FindObject(node);
  if (!object) return done(Errno{ESTALE});
  const auto wait = ChargeWait(store_, who);
  if (!wait) return done(wait.error());
  store_->sealed().Want(
      store_->objects().Info(object).id, BoundedWait(),
      [done = std::move(done), wait = *wait](Status back) { done(back); });
}

Answer<FileSystem::Opened> FileSystem::OpenStatus(int flags, const Payer& who) {
  if (WantsToWrite(flags)) return Errno{EPERM};
  auto descriptor = objects_->descriptors().Hold(who);
  if (!descriptor) return descriptor.error();
  std::string text = store_->facts().StatusJson().dump(2) + "\n";
  text.shrink_to_fit();
  auto memory = store_->memory().ShareWithClient(who, text.size(),
                                                 store::ClientMemoryNeed::kNow);
  if (!memory) return memory.error();
  auto file = std::make_shared<OpenFile>(
      std::move(text),
      OpenFile::Charges{*std::move(descriptor), *std::move(memory)});
  return Opened{files_->Add(std::move(file)), kOpenDirectIo, 0};
}

Answer<FileSystem::Opened> FileSystem::OpenObject(const ObjectRef& object,
                                                  const OpenUse& use) {
  const ObjectInfo info = store_->objects().Info(object);
  const bool writes = WantsToWrite(use.flags);
  // On ESTALE the kernel looks the name up once more.
  if (info.state == ObjectState::kGone) return Errno{ESTALE};
  if (writes && info.state == ObjectState::kSealed) return Errno{EPERM};
  auto file = OpenFile::Open(
      store_, objects_, object, info.number,
      {.writes = writes, .creates = use.creates, .opener = use.who});
  if (!file) {
    const Code code = file.error().code;
    if (code == Code::kUnavailable) return Errno{kElsewhere};
    if (IsGone(code)) return Errno{ESTALE};
    return file.error();
  }
  if (!use.creates && (use.flags & O_TRUNC) != 0) {
    if (const auto cut = Truncate(object); !cut) return Errno{cut.error()};
  }
  store_->objects().Touch(object);
  const uint32_t reply_flags = FlagsFor(**file, info, use.flags);
  const int32_t backing_id = (*file)->backing_id();
  return Opened{files_->Add(*std::move(file)), reply_flags, backing_id};
}

// After the open was noted: if a signal kills the writer from now on, what is
// left is half-written.
Answer<void> FileSystem::Truncate(const ObjectRef& object) {
  Status truncated;
  // Shrinking waits for nothing, so it is done when Resize returns.
  store_->memory().Resize(
      object, 0, BoundedWait(),
      [&truncated](Status status) { truncated = std::move(status); });
  if (!truncated && IsGone(truncated.error().code)) return Errno{ESTALE};
  return truncated;
}

uint32_t FileSystem::FlagsFor(const OpenFile& file, const ObjectInfo& info,
                              int flags) {
  // A FLUSH of a reader is of no use.
  const uint32_t flush = file.writes() ? 0 : kOpenNoFlush;
  if (file.backing_id() != 0) {
    return kOpenPassthrough | flush | (file.carried() ? kOpenDirectIo : 0);
  }
  // A descriptor that cannot be mapped needs no copy in the page cache.
  if ((flags & O_ACCMODE) == O_WRONLY) return kOpenDirectIo;
  // The first open after the seal drops the pages that the kernel cached while
  // the object was being written.
  const bool keep = info.state == ObjectState::kSealed &&
                    nodes_.NoteSealedOpen(ObjectNode(info.number));
  return flush | (keep ? kOpenKeepCache : 0);
}

Answer<FileSystem::Created> FileSystem::Create(uint64_t dir,
                                               std::string_view name,
                                               mode_t mode, int flags,
                                               const Credentials& who) {
  if (dir != kUnsealedDir) return Errno{EPERM};
  if (name.size() > ObjectId::kMaxBytes) return Errno{ENAMETOOLONG};
  const auto id = ObjectId::FromText(name);
  if (!id) return id.error();
  NewObject options;
  options.creator = who;
  options.mode = mode & 0777;
  options.through_mount = true;
  const auto object = store_->unsealed().Create(*id, options);
  if (!object) return object.error();
  auto entry = MakeEntry(dir, *object);
  auto opened =
      entry ? OpenObject(*object,
                         {.flags = flags, .creates = true, .who = PayerOf(who)})
            : Answer<Opened>(Errno{entry.error()});
  if (opened) return Created{*entry, *opened};
  if (entry) nodes_.Forget(entry->ino, 1);
  // A failure means that the object is gone already.
  static_cast<void>(store_->unsealed().Abort(*object));
  return Errno{opened.error()};
}

std::function<void()> FileSystem::OpenWait(uint64_t node, int flags,
                                           const Payer& who,
                                           OnAnswer<Opened> done) {
  const auto id = wait_nodes_.Find(node);
  if (!id) return done(Errno{ESTALE}), nullptr;
  if (WantsToWrite(flags)) return done(Errno{EPERM}), nullptr;
  if ((flags & O_NONBLOCK) != 0) {
    const bool sealed = store_->sealed().FindSealed(*id).has_value();
    return done(Errno{sealed ? ESTALE : EAGAIN}), nullptr;
  }
  // Charged until the waiter is woken or dropped.
  const auto charge = ChargeWait(store_, who);
  if (!charge) return done(charge.error()), nullptr;
  const auto wake = [done, charge = *charge] { done(Errno{ESTALE}); };
  // Adds the waiter before it asks for the object: a seal in between wakes it.
  const uint64_t waiter = waiters_.Add(*id, wake);
  if (!store_->sealed().FindSealed(*id)) {
    return [this, id = *id, waiter] { waiters_.Remove(id, waiter); };
  }
  if (waiters_.Remove(*id, waiter)) wake();
  return nullptr;
}

}  // namespace vitrine::fusefs
