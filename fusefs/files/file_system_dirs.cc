// FileSystem: open directories.
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "fusefs/files/file_system.h"

namespace vitrine::fusefs {

Answer<uint64_t> FileSystem::OpenDir(uint64_t node, const Payer& who) {
  if (KindOf(node) != NodeKind::kFixed || node == kStatusFile) {
    return Errno{ENOTDIR};
  }
  auto charge = objects_->descriptors().Hold(who);
  if (!charge) return charge.error();
  return dirs_.Add(std::shared_ptr<OpenDirectory>(
      new OpenDirectory{node, DirListing(store_, node, snapshots_.Of(who.uid)),
                        *std::move(charge)}));
}

bool FileSystem::AppendEntry(const DirListing::Entry& listed, uint64_t dir,
                             bool plus, size_t size, std::string* text) {
  fuse_entry_param entry{};
  entry.attr.st_ino = listed.node;
  entry.attr.st_mode = listed.type;
  const size_t needed =
      plus ? fuse_add_direntry_plus(nullptr, nullptr, 0, listed.name.c_str(),
                                    &entry, 0)
           : fuse_add_direntry(nullptr, nullptr, 0, listed.name.c_str(),
                               nullptr, 0);
  if (text->size() + needed > size) return false;
  const auto next = static_cast<off_t>(listed.next);
  // With node 0 in the entry the kernel takes only the name.  Attributes of
  // unsealed objects would be out of date at once.
  if (plus && dir == kSealedDir && listed.object) {
    const auto found = MakeEntry(dir, listed.object);
    if (!found) return true;  // Gone meanwhile: left out.
    entry = *found;
  }
  const size_t at = text->size();
  text->resize(at + needed);
  if (plus) {
    fuse_add_direntry_plus(nullptr, text->data() + at, needed,
                           listed.name.c_str(), &entry, next);
  } else {
    fuse_add_direntry(nullptr, text->data() + at, needed, listed.name.c_str(),
                      &entry.attr, next);
  }
  return true;
}

Answer<std::string> FileSystem::ReadDir(uint64_t handle, uint64_t offset,
                                        size_t size, bool plus) {
  const auto open = dirs_.Find(handle);
  if (!open) return Errno{EBADF};
  std::string text;
  text.reserve(size);
  open->listing.Read(offset, [&](const DirListing::Entry& entry) {
    return AppendEntry(entry, open->dir, plus, size, &text);
  });
  return text;
}

}  // namespace vitrine::fusefs
