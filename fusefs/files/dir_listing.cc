#include "fusefs/files/dir_listing.h"

#include <sys/stat.h>

#include <utility>

#include "fusefs/files/node_id.h"

namespace vitrine::fusefs {
namespace {

using Entry = DirListing::Entry;

Entry Fixed(const char* name, uint64_t node, mode_t type) {
  Entry entry;
  entry.name = name;
  entry.node = node;
  entry.type = type;
  return entry;
}

std::vector<Entry> FixedEntries(uint64_t dir) {
  std::vector<Entry> entries = {Fixed(".", dir, S_IFDIR),
                                Fixed("..", kRootNode, S_IFDIR)};
  if (dir == kRootNode) {
    entries.push_back(Fixed("unsealed", kUnsealedDir, S_IFDIR));
    entries.push_back(Fixed("sealed", kSealedDir, S_IFDIR));
    entries.push_back(Fixed("wait", kWaitDir, S_IFDIR));
    entries.push_back(Fixed("direct", kDirectDir, S_IFDIR));
    entries.push_back(Fixed(".vitrine", kInfoDir, S_IFDIR));
  } else if (dir == kInfoDir) {
    entries.push_back(Fixed("status", kStatusFile, S_IFREG));
  }
  return entries;
}

// The state of the objects that a directory shows; wait/ shows the unsealed.
ObjectState StateShown(uint64_t dir) {
  return dir == kUnsealedDir || dir == kWaitDir ? ObjectState::kUnsealed
                                                : ObjectState::kSealed;
}

bool ShowsObjects(uint64_t dir) {
  return dir == kUnsealedDir || dir == kSealedDir || dir == kWaitDir ||
         dir == kDirectDir;
}

}  // namespace

DirListing::Snapshot DirListing::Take() const {
  Snapshot snapshot;
  snapshot.fixed = FixedEntries(dir_);
  if (ShowsObjects(dir_))
    snapshot.objects = store_->objects().List(StateShown(dir_));
  return snapshot;
}

bool DirListing::Describe(const ObjectRef& object, Entry* entry) const {
  const ObjectInfo info = store_->objects().Info(object);
  if (info.state != StateShown(dir_)) return false;
  const bool link = dir_ == kDirectDir;
  entry->name = info.id.text();
  entry->node = link ? DirectNode(info.number) : ObjectNode(info.number);
  entry->type = link ? S_IFLNK : S_IFREG;
  entry->object = object;
  return true;
}

void DirListing::Read(uint64_t offset,
                      const std::function<bool(const Entry&)>& visit) {
  std::shared_ptr<const Snapshot> snapshot;
  {
    MutexLock lock(mutex_);
    snapshot = snapshot_;
  }
  if (offset == 0 || !snapshot) {
    snapshot = std::make_shared<const Snapshot>(Take());
    MutexLock lock(mutex_);
    snapshot_ = snapshot;
  }
  const size_t fixed = snapshot->fixed.size();
  for (uint64_t at = offset; at < fixed + snapshot->objects.size(); ++at) {
    Entry entry;
    if (at < fixed) {
      entry = snapshot->fixed[at];
    } else if (!Describe(snapshot->objects[at - fixed], &entry)) {
      continue;
    }
    entry.next = at + 1;
    if (!visit(entry)) return;
  }
}

}  // namespace vitrine::fusefs
