// The mount as plain C++: POSIX calls turned into calls of the store.
//
//   unsealed/ID   being written          wait/ID    blocks until ID is sealed
//   sealed/ID     immutable              direct/ID  link to the memory itself
//   .vitrine/status
//
// How requests arrive and are answered is in ops.cc, so this can be tested
// without a mount.
//
// Invariants:
//  (1) No method waits for space, for a seal, or for another request.  If a
//      request has to wait, a callback answers it later.
//  (2) No lock is held while a callback runs or the store is called.
//  (3) The kernel may cache a name for ever, so it is told when the name's
//      object goes, in every directory where it looked the object up: also a
//      name that it does not trust keeps the node.  Names that it never looked
//      up cost nothing.
#ifndef VITRINE_FUSEFS_FILES_FILE_SYSTEM_H_
#define VITRINE_FUSEFS_FILES_FILE_SYSTEM_H_

#include <fuse3/fuse_lowlevel.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fusefs/base/store_names.h"
#include "fusefs/files/answer.h"
#include "fusefs/files/attributes.h"
#include "fusefs/files/dir_listing.h"
#include "fusefs/files/handle_table.h"
#include "fusefs/files/listing_snapshots.h"
#include "fusefs/files/node_table.h"
#include "fusefs/files/open_file.h"
#include "fusefs/files/open_files.h"
#include "fusefs/files/open_objects.h"
#include "fusefs/files/seal_waiters.h"
#include "fusefs/files/task_thread.h"
#include "fusefs/files/wait_nodes.h"
#include "fusefs/kernel/kernel.h"

namespace vitrine::fusefs {

// Thread-safe.  The store must outlive it, the kernel until Shutdown.  Held by
// shared_ptr: callbacks of the store may come after Shutdown, and find it gone.
class FileSystem : public Observer,
                   public std::enable_shared_from_this<FileSystem> {
 public:
  // `passthrough`: opens may be passed through by way of `kernel`.  `access`:
  // who may enter the topmost directory.
  static std::shared_ptr<FileSystem> Make(Store* store, Kernel* kernel,
                                          bool passthrough,
                                          const store::Access& access = {});
  ~FileSystem() override = default;

  // Call it when the store makes no more calls, and while requests are still
  // answered: ends the notifications, which may wait for requests.
  void StopNotifying() { notifier_.Stop(); }
  // Ends all opens.  Call it when no request is under way or will follow.
  void Shutdown();

  // --- names ---
  // `uid`: who looks.
  Answer<fuse_entry_param> Lookup(uint64_t dir, std::string_view name,
                                  uid_t uid);
  void Forget(uint64_t node, uint64_t lookups);
  Answer<void> Unlink(uint64_t dir, std::string_view name,
                      const Credentials& who);
  // Renames or seals.  A seal waits a moment for a writer that is just closing.
  void Rename(uint64_t dir, std::string_view name, uint64_t new_dir,
              std::string_view new_name, unsigned int flags,
              const Credentials& who, OnAnswer<void> done);
  Answer<std::string> ReadLink(uint64_t node);

  // --- attributes ---
  Answer<Attributes> GetAttributes(uint64_t node);
  struct SetAttributes {
    struct stat stat {};
    int which = 0;  // FUSE_SET_ATTR_*
  };
  // EDQUOT, if the size may have to wait for memory: `who` has as many waits as
  // may be.
  void Set(uint64_t node, const SetAttributes& wanted, const Payer& who,
           OnAnswer<Attributes> done);
  // Empty: no object, and thus without extended attributes.
  ObjectRef FindObject(uint64_t node) const { return nodes_.FindObject(node); }
  Answer<struct statvfs> GetUsage();
  // If access is by a list of users, the kernel asks for that of each file;
  // only the topmost directory has one.
  bool HasAccessListFor(std::string_view name) const;
  Answer<std::string> GetAccessList(uint64_t node, std::string_view name) const;

  // --- open files ---
  struct Opened {
    uint64_t handle = 0;
    uint32_t flags = 0;  // kOpen* of kernel_abi.h.
    int32_t backing_id = 0;
  };
  struct Created {
    fuse_entry_param entry{};
    Opened opened;
  };
  // kElsewhere, which no caller sees: BringBack first.
  static constexpr int kElsewhere = EREMOTE;
  // EDQUOT, ENFILE: `who`, or all, have as many files open as may be.  EDQUOT,
  // too: `who` may not have the memory that the text of `status` takes.
  Answer<Opened> Open(uint64_t node, int flags, const Payer& who);
  // True if the node is of an object that is not in memory.
  bool IsElsewhere(uint64_t node) const;
  // Brings it back; answers at once if it is in memory.  EDQUOT: `who` has as
  // many waits as may be.
  void BringBack(uint64_t node, const Payer& who, OnAnswer<void> done);
  Answer<Created> Create(uint64_t dir, std::string_view name, mode_t mode,
                         int flags, const Credentials& who);
  // Opens a node under wait/.  Answers with ESTALE once its id is sealed: then
  // the kernel looks it up again and finds the sealed object.  (The kernel does
  // so once: a caller sees ESTALE if the object goes in between and the id is
  // sealed anew.)  Returns what ends the wait without an answer.
  // EDQUOT: `who` has as many waits as may be.
  std::function<void()> OpenWait(uint64_t node, int flags, const Payer& who,
                                 OnAnswer<Opened> done);
  bool IsWait(uint64_t node) const { return KindOf(node) == NodeKind::kWait; }

  // Reading, writing and closing what was opened here.
  OpenFiles& open_files() { return *files_; }

  // --- directories ---
  // EDQUOT, ENFILE: as of Open.
  Answer<uint64_t> OpenDir(uint64_t node, const Payer& who);
  // Entries from `offset` on, as the kernel takes them, at most `size` bytes.
  // `plus`: with attributes; each entry that has them counts as a look-up.
  Answer<std::string> ReadDir(uint64_t handle, uint64_t offset, size_t size,
                              bool plus);
  void ReleaseDir(uint64_t handle) { dirs_.Remove(handle); }

  // --- Observer ---
  void OnEvent(const ObjectEvent& event) override;
  void AfterPending(std::function<void()> done) override;

  Store* store() const { return store_; }
  StatusSection GetStatus() const;

 private:
  FileSystem(Store* store, Kernel* kernel, bool passthrough,
             const store::Access& access);

  // The object that `name` stands for in `dir`.
  Answer<ObjectRef> Find(uint64_t dir, std::string_view name);
  Answer<fuse_entry_param> LookupFixed(uint64_t dir, std::string_view name);
  // Counts the look-up, then checks that the object is still there.
  Answer<fuse_entry_param> MakeEntry(uint64_t dir, const ObjectRef& object);
  fuse_entry_param MakeWait(const ObjectId& id, uid_t uid);
  // The target of the link `direct/ID`.
  std::string DirectPath(const ObjectRef& object, const ObjectInfo& info);
  // The kernel drops the name of `object` in `dir` itself, until NoteDropped of
  // the number that is returned.
  uint64_t NoteDropping(const ObjectRef& object, uint64_t dir)
      EXCLUDES(deleting_mutex_);
  void NoteDropped(uint64_t number) EXCLUDES(deleting_mutex_);
  // What an unlink in `dir` does.
  Answer<void> Delete(uint64_t dir, const ObjectRef& object,
                      const Credentials& who);
  // Attempt `attempt` of a seal; others follow while the object has writers.
  void Seal(const ObjectRef& object, const ObjectId& id, int attempt,
            OnAnswer<void> done);
  void SealAgain(const ObjectRef& object, const ObjectId& id, int attempt,
                 OnAnswer<void> done);

  Answer<void> SetWithoutSize(const ObjectRef& object,
                              const SetAttributes& wanted);

  Answer<Opened> OpenStatus(int flags, const Payer& who);
  struct OpenUse {
    int flags = 0;
    bool creates = false;
    Payer who = {};
  };
  Answer<Opened> OpenObject(const ObjectRef& object, const OpenUse& use);
  Answer<void> Truncate(const ObjectRef& object);
  uint32_t FlagsFor(const OpenFile& file, const ObjectInfo& info, int flags);
  bool AppendEntry(const DirListing::Entry& entry, uint64_t dir, bool plus,
                   size_t size, std::string* text);
  // The directories where the kernel may have a name of an object that is gone,
  // except that from which it is just dropping it.
  std::vector<uint64_t> DirsWithNamesOf(uint64_t number)
      EXCLUDES(deleting_mutex_);
  void ForgetSoon(const ObjectInfo& info);

  Store* const store_;
  Kernel* const kernel_;
  const FixedOwner owner_;
  const std::string access_list_;  // Empty: there is none.
  const uint64_t write_bytes_;
  const std::shared_ptr<OpenObjects> objects_;
  const std::shared_ptr<OpenFiles> files_;

  NodeTable nodes_;  // These lock themselves.
  WaitNodes wait_nodes_;
  ListingSnapshots snapshots_;
  struct OpenDirectory {
    uint64_t dir;
    DirListing listing;
    std::shared_ptr<const void> charge;  // A descriptor of its opener.
  };
  HandleTable<OpenDirectory> dirs_;
  SealWaiters waiters_;
  std::atomic<int64_t> changed_ns_;  // When something came or went.
  std::atomic<uint64_t> notified_ = 0;

  Mutex deleting_mutex_;
  // Numbers of objects that an unlink or a rename is ending, and the directory
  // from which the kernel drops their names itself.
  std::map<uint64_t, uint64_t> deleting_ GUARDED_BY(deleting_mutex_);

  // Last: their tasks use the others.  `notifier_` may wait for requests under
  // way, so no task that a request waits for runs there.
  TaskThread tasks_{"vitrine-mount"};
  TaskThread notifier_{"vitrine-notify"};
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_FILE_SYSTEM_H_
