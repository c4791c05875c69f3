#include "fusefs/files/dir_listing.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

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

// The first whose number is at least `number`.
UserSnapshots::Objects::const_iterator FirstFrom(
    const UserSnapshots::Objects& objects, uint64_t number) {
  return std::lower_bound(objects.begin(), objects.end(), number,
                          [](const ObjectRef& object, uint64_t wanted) {
                            return store::NumberOf(*object) < wanted;
                          });
}

}  // namespace

std::shared_ptr<const UserSnapshots::Objects> DirListing::ObjectsFor(
    uint64_t offset) const {
  if (!ShowsObjects(dir_)) {
    return std::make_shared<const UserSnapshots::Objects>();
  }
  const ObjectState state = StateShown(dir_);
  return offset == 0 ? snapshots_->Renew(state) : snapshots_->Newest(state);
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
                      const std::function<bool(const Entry&)>& visit) const {
  const auto objects = ObjectsFor(offset);
  std::vector<Entry> fixed = FixedEntries(dir_);
  for (uint64_t at = offset; at < fixed.size(); ++at) {
    fixed[at].next = at + 1;
    if (!visit(fixed[at])) return;
  }
  // Behind the fixed entries an offset is theirs and the number of an object.
  const uint64_t from = offset - std::min<uint64_t>(offset, fixed.size());
  for (auto it = FirstFrom(*objects, from); it != objects->end(); ++it) {
    Entry entry;
    if (!Describe(*it, &entry)) continue;
    entry.next = fixed.size() + store::NumberOf(**it) + 1;
    if (!visit(entry)) return;
  }
}

}  // namespace vitrine::fusefs
