#include "fusefs/files/file_system.h"

#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <utility>

#include "fusefs/files/file_metrics.h"
#include "fusefs/files/node_id.h"
#include "schema/base/wall_clock.h"
#include "schema/machine/directory_acl.h"
#include "schema/machine/memory_file_system.h"

namespace vitrine::fusefs {
namespace {

constexpr uint64_t kBlockBytes = 4096;

bool IsHugetlbfs(const std::string& dir) {
  const auto system = machine::FileSystemOf(dir);
  return system && system->is_hugetlbfs();
}

std::string AccessListOf(const store::Access& access) {
  return access.has_list() ? machine::MakeDirectoryAcl(access.users) : "";
}

}  // namespace

FileSystem::FileSystem(Store* store, Kernel* kernel, bool passthrough,
                       const store::Access& access)
    : store_(store),
      kernel_(kernel),
      owner_{::geteuid(), access.group.value_or(::getegid()),
             access.DirectoryMode(), NowNs()},
      access_list_(AccessListOf(access)),
      write_bytes_(store->facts().write_bytes()),
      objects_(
          std::make_shared<OpenObjects>(store, passthrough ? kernel : nullptr)),
      files_(std::make_shared<OpenFiles>(
          store, IsHugetlbfs(store->facts().memory_dir()))),
      snapshots_(
          [store](ObjectState state) { return store->objects().List(state); }),
      changed_ns_(NowNs()) {}

std::shared_ptr<FileSystem> FileSystem::Make(Store* store, Kernel* kernel,
                                             bool passthrough,
                                             const store::Access& access) {
  return std::shared_ptr<FileSystem>(
      new FileSystem(store, kernel, passthrough, access));
}

void FileSystem::Shutdown() {
  notifier_.Stop();
  tasks_.Stop();
  objects_->Detach();
  files_->Clear();
  dirs_.Clear();
}

Answer<struct statvfs> FileSystem::GetUsage() {
  const StoreFacts::Usage usage = store_->facts().GetUsage();
  struct statvfs stats {};
  stats.f_bsize = kBlockBytes;
  stats.f_frsize = kBlockBytes;
  stats.f_blocks = usage.capacity_bytes / kBlockBytes;
  const uint64_t used = std::min(usage.used_bytes, usage.capacity_bytes);
  stats.f_bfree = (usage.capacity_bytes - used) / kBlockBytes;
  stats.f_bavail = stats.f_bfree;
  stats.f_ffree = usage.free_objects;
  stats.f_favail = stats.f_ffree;
  stats.f_files = usage.sealed_objects + usage.unsealed_objects + stats.f_ffree;
  stats.f_namemax = ObjectId::kMaxBytes;
  return stats;
}

bool FileSystem::HasAccessListFor(std::string_view name) const {
  return !access_list_.empty() &&
         (name == machine::kAccessAcl || name == machine::kDefaultAcl);
}

Answer<std::string> FileSystem::GetAccessList(uint64_t node,
                                              std::string_view name) const {
  if (node != kRootNode || name != machine::kAccessAcl) return Errno{ENODATA};
  return access_list_;
}

// --- Observer ---

void FileSystem::OnEvent(const ObjectEvent& event) {
  changed_ns_.store(NowNs(), std::memory_order_relaxed);
  switch (event.kind) {
    case ObjectEventKind::kSealed:
      for (auto& wake : waiters_.Take(event.info.id)) {
        tasks_.Run(std::move(wake));
      }
      break;
    case ObjectEventKind::kAborted:
    case ObjectEventKind::kDeleted:
    case ObjectEventKind::kEvicted:
      ForgetSoon(event.info);
      break;
    case ObjectEventKind::kCreated:
    case ObjectEventKind::kRenamed:
    case ObjectEventKind::kHoldChanged:
    case ObjectEventKind::kMoved:
      break;  // These change nothing that the kernel caches.
  }
}

std::vector<uint64_t> FileSystem::DirsWithNamesOf(uint64_t number) {
  std::vector<uint64_t> dirs = nodes_.DirsOf(ObjectNode(number));
  MutexLock lock(deleting_mutex_);
  const auto it = deleting_.find(number);
  if (it != deleting_.end()) std::erase(dirs, it->second);
  return dirs;
}

// A look-up that is being answered now either finds the object gone, or has
// added the node before this method asks for it (see MakeEntry).
void FileSystem::ForgetSoon(const ObjectInfo& info) {
  const auto dirs = DirsWithNamesOf(info.number);
  const auto links = nodes_.DirsOf(DirectNode(info.number));
  if (dirs.empty() && links.empty()) return;
  ++notified_;
  notifier_.Run([this, dirs, links, id = info.id, number = info.number] {
    for (const uint64_t dir : dirs) kernel_->InvalidateEntry(dir, id.text());
    if (!dirs.empty()) kernel_->InvalidateAttributes(ObjectNode(number));
    for (const uint64_t dir : links) kernel_->InvalidateEntry(dir, id.text());
  });
}

void FileSystem::AfterPending(std::function<void()> done) {
  // If the notifier is stopped, no notification is pending.
  if (!notifier_.Run(done)) done();
}

StatusSection FileSystem::GetStatus() const {
  const OpenObjects::Numbers open = objects_->Count();
  const OpenFiles::Numbers files = files_->Count();
  return FilesSection({.open_files = files.open,
                       .open_objects = open.objects,
                       .open_objects_passed_through = open.passed_through,
                       .passthrough_opens = open.passthrough_opens,
                       .open_directories = dirs_.size(),
                       .known_nodes = nodes_.size() + wait_nodes_.size(),
                       .waiting_for_seal = waiters_.size(),
                       .carried_read_bytes = files.carried_read_bytes,
                       .carried_written_bytes = files.carried_written_bytes,
                       .notified_names = notified_,
                       .killed_writers = files.killed_writers});
}

}  // namespace vitrine::fusefs
