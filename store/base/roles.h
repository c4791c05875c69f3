// What the front ends may ask of the store, by roles.  Each front end, and each
// part of one, is given the roles that it needs; a test that changes the
// behaviour of one leaves the others alone.
//
// All are thread-safe.  Callbacks (`Done`) run with no lock held, on the
// calling thread before the call returns or later on one of the store's own
// threads; they must not block.
#ifndef VITRINE_STORE_BASE_ROLES_H_
#define VITRINE_STORE_BASE_ROLES_H_

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"
#include "store/base/object.h"
#include "store/base/observer.h"
#include "store/base/requests.h"
#include "store/metrics/status_section.h"

namespace vitrine::store {

class Accounts;
class Catalog;
class ClientRegistry;
class SegmentFile;
struct Payer;

// Memory for unsealed objects, for which a caller may have to wait.
// kOverQuota: the object's user or group must not have so much; nobody waits
// for that.
class MemoryRequests {
 public:
  virtual ~MemoryRequests() = default;

  // An object of exactly `size_bytes`, all of it reserved (never SIGBUS).
  // Waits for space, first come first served.  kOutOfMemory: none in time; the
  // message says who uses what.  kTooLarge: more than the capacity.
  virtual void CreateSized(const ObjectId& id, uint64_t size_bytes,
                           const NewObject& options, SpaceWait wait,
                           Done<ObjectRef> done) = 0;
  // Sets the size (ftruncate).  Growing reserves memory as CreateSized does.
  virtual void Resize(const ObjectRef& object, uint64_t size_bytes,
                      SpaceWait wait, Done<void> done) = 0;
  // Reserves memory for [offset, offset + size) (fallocate, carried writes);
  // the size stays as it is.
  virtual void Reserve(const ObjectRef& object, uint64_t offset_bytes,
                       uint64_t size_bytes, SpaceWait wait,
                       Done<void> done) = 0;

  // Charges memory that the store shares with a client, or keeps for a user of
  // the mount, until the last owner of the answer is gone; never waits.  The
  // store must outlive it. kOutOfMemory: it is not there, and not needed
  // enough.  kOverQuota: `payer` has all it may have.
  virtual Result<std::shared_ptr<const void>> ShareWithClient(
      const Payer& payer, uint64_t bytes, ClientMemoryNeed need) = 0;
};

// Unsealed objects, but for the waits for memory.
class UnsealedObjects {
 public:
  virtual ~UnsealedObjects() = default;

  // An object whose size is not known yet.  kAlreadyExists: an unsealed or a
  // sealed object has the id.  kOverQuota: its creator must not have one more.
  virtual Result<ObjectRef> Create(const ObjectId& id,
                                   const NewObject& options) = 0;
  // A new, writable description of the segment, for `holder`.  Close it soon:
  // while it is open, Seal says kInUse.  kNotPermitted: sealed.  kInUse: it is
  // being sealed; so say all that change it, but Abort.
  virtual Result<UniqueFd> OpenForWriting(const ObjectRef& object,
                                          PageHolder holder) = 0;
  // A carried write ended at `end_bytes`: the size is at least that.  (On
  // hugetlbfs the file cannot tell.)
  virtual void NoteWritten(const ObjectRef& object, uint64_t end_bytes) = 0;
  // A writer through the mount comes and goes.  Begin makes room first where
  // that can be done at once, and says how the writer is to be served.
  // `holder`: who may map the segment by that.  kNotPermitted: sealed.
  // kNotFound: gone.
  virtual Result<WriteMode> BeginWriting(const ObjectRef& object,
                                         PageHolder holder) = 0;
  // `mode` is what BeginWriting said, or kCarried if the mount chose so.
  virtual void EndWriting(const ObjectRef& object, WriteMode mode) = 0;

  virtual Status SetMode(const ObjectRef& object, mode_t mode) = 0;
  // kOverQuota: the new owner must not have so much, whoever gives it.
  virtual Status SetOwner(const ObjectRef& object, uid_t uid, gid_t gid) = 0;
  // Nanoseconds since 1970.
  virtual Status SetModified(const ObjectRef& object, int64_t modified_ns) = 0;
  // An empty optional removes `name`.  kNotPermitted: sealed.
  virtual Status SetMetadata(const ObjectRef& object, const std::string& name,
                             std::optional<std::string> value) = 0;
  // Gives an unsealed object a new id.  An unsealed object that has it is
  // aborted, unless `no_replace`: kAlreadyExists.  kAlreadyExists: a sealed
  // object has it.
  virtual Status Rename(const ObjectRef& object, const ObjectId& id,
                        bool no_replace) = 0;
  // Makes it immutable and visible as `id`, at once for everybody.  If users
  // had its pages that StoreOptions::seal_copy does not trust with them, it
  // gets new ones before; a large one on a thread of the store.  kInUse:
  // somebody has it open or mapped writable, or seals it.  kAlreadyExists: the
  // id is taken.  kNotPermitted: sealed already.  kOverQuota: its holes,
  // which get memory now, are more than its user may have.
  virtual void Seal(const ObjectRef& object, const ObjectId& id,
                    Done<void> done) = 0;
  virtual Status Abort(const ObjectRef& object) = 0;
  // kNotFound: no such object.
  virtual Result<ObjectRef> FindUnsealed(const ObjectId& id) = 0;
};

// Blanks: segments with memory that a client has ahead of its need.
class BlankSegments {
 public:
  virtual ~BlankSegments() = default;

  // A blank, all of it reserved, if that can be had at once and without an
  // eviction.  kOutOfMemory: not now.  kUnsupported: never, on this kernel.
  // kInvalidArgument: of no such size.  kOverQuota: its memory would be more
  // than its user must have.
  virtual Result<ObjectRef> MakeBlank(const NewBlank& blank) = 0;
  // A new, writable description of it.  Close it soon: while it is open,
  // SealBlank says kInUse.  kNotFound: gone, or sealed.
  virtual Result<UniqueFd> OpenBlank(const ObjectRef& blank) = 0;
  // Makes it immutable and visible, as UnsealedObjects::Seal does.
  // kInvalidArgument: the size is beyond the blank, or its file was cut,
  // extended or given holes.  kNotFound: gone, or sealed before.  kOverQuota:
  // its user must not have one more object.
  virtual void SealBlank(const ObjectRef& blank, const BlankSeal& seal,
                         Done<void> done) = 0;
  // Gives its memory back, soon.  One that is sealed or gone is left alone.
  virtual void DropBlank(ObjectRef blank) = 0;
};

// Small objects, created and sealed at once.
class SmallPuts {
 public:
  virtual ~SmallPuts() = default;

  // The most bytes of such an object.  0: the store takes none.
  virtual uint64_t small_object_bytes() const = 0;
  // Creates and seals `objects` of one creator in their order, as far as there
  // is room, and appends to `results` what became of each: kAlreadyExists,
  // kOverQuota, or OK.  Objects without a result need AddRoom first.
  virtual void PutSmall(const Credentials& creator,
                        std::span<const SmallObject> objects,
                        std::vector<Status>* results) = 0;
  // Makes room for more.  kOutOfMemory: not in time.  Others may take the room
  // first.  `whose` is a name for EndWaitsForRoom.
  virtual void AddRoom(SpaceWait wait, Done<void> done,
                       const void* whose = nullptr) = 0;
  // The room that `whose` waits for is not wanted any more.
  virtual void EndWaitsForRoom(const void* whose) = 0;
};

// Sealed objects.
class SealedObjects {
 public:
  virtual ~SealedObjects() = default;

  virtual Result<ObjectRef> FindSealed(const ObjectId& id) = 0;
  // Runs `done` when the sealed object `id` is in memory: at once, unless it is
  // elsewhere.  Bringing it back waits for space as CreateSized does.
  // kNotFound: no such object.  kOutOfMemory: no memory in time.
  virtual void Want(const ObjectId& id, SpaceWait wait, Done<void> done) = 0;
  // kNotPermitted: `who` is neither owner nor root.  kNotFound: gone.
  virtual Status Delete(const ObjectRef& object, const Credentials& who) = 0;
  // The same of several, with a result for each; a journal record serves many.
  virtual std::vector<Status> DeleteMany(std::span<const ObjectId> ids,
                                         const Credentials& who) = 0;
  // A held object is not evicted.  (One that is elsewhere stays there until it
  // is wanted.)  kNotPermitted as for Delete.  kOverQuota: its owner must not
  // have one more that is held.
  virtual Status SetHold(const ObjectRef& object, bool hold,
                         const Credentials& who) = 0;
  // Evicts until `bytes` are given back or nothing more can be; says how many.
  virtual void Evict(uint64_t bytes, Done<uint64_t> done) = 0;
};

// Objects in any state.
class ObjectViews {
 public:
  virtual ~ObjectViews() = default;

  virtual ObjectInfo Info(const ObjectRef& object) = 0;
  virtual std::shared_ptr<const Metadata> GetMetadata(
      const ObjectRef& object) = 0;
  // A new read-only description: give it away (kernel leases see it).
  virtual Result<UniqueFd> OpenForReading(const ObjectRef& object) = 0;
  // The store's own read-only description, one for all callers, for passthrough
  // and for reading.  The object is not evicted while a caller has it.  Readers
  // may keep references to pages, so that a segment of the object's own is not
  // recycled afterwards.  kNotFound: gone.  kUnavailable: elsewhere.
  virtual Result<std::shared_ptr<SegmentFile>> Share(
      const ObjectRef& object) = 0;
  // Is it pinned, open or mapped, by any process by any path?  (A slab that is
  // merely mapped says nothing of one object: only pins and the mount count.)
  virtual bool InUse(const ObjectRef& object) = 0;
  // Notes a use, for recency.
  virtual void Touch(const ObjectRef& object) = 0;
  // Path of the memory itself, for `direct/`.  Only of objects that share it
  // with no others.
  virtual std::string SegmentPath(const ObjectRef& object) = 0;
  // All objects in `state`, in the order of their numbers.
  virtual std::vector<ObjectRef> List(ObjectState state) = 0;
  // Info and InUse of those of `objects` that are in `state`, in their order.
  virtual std::vector<ListedObject> Describe(std::span<const ObjectRef> objects,
                                             ObjectState state) = 0;
};

// The store as a whole.
class StoreFacts {
 public:
  virtual ~StoreFacts() = default;

  struct Usage {
    uint64_t capacity_bytes;
    uint64_t used_bytes;
    uint64_t sealed_objects;
    uint64_t unsealed_objects;
    // So many more could be made now, each with a segment of its own.
    uint64_t free_objects;
  };
  virtual Usage GetUsage() = 0;
  // Everything that `status` shows, whatever its length.
  virtual StatusSection GetStatus() = 0;
  nlohmann::json StatusJson();
  // Adds `source`'s answer to the status under `name`; null removes it.
  virtual void SetStatusSource(const std::string& name,
                               std::function<StatusSection()> source) = 0;
  // Who has how much, and who may have more.  Owned by the store; locks itself.
  virtual Accounts& accounts() = 0;
  // Where segments are, how they are made, where the catalog is.
  virtual const std::string& memory_dir() const = 0;
  virtual const std::string& state_dir() const = 0;
  virtual uint64_t page_bytes() const = 0;
  // Writes of this size fill whole pages, also huge ones, which the kernel then
  // need not clear.
  virtual uint64_t write_bytes() const = 0;
  // "own tmpfs, huge pages within_size" and the like, for the ready line.
  virtual std::string DescribeMemory() const = 0;
  // What of a killed store was lost or evicted at the start; usually empty.
  virtual std::string DescribeRestart() const = 0;
  // A new read-only description of the index, and of the segment directory
  // (O_PATH), to be given to clients.
  virtual Result<UniqueFd> OpenIndex() = 0;
  virtual Result<UniqueFd> OpenSegmentDir() = 0;
};

// Those who hear of changes, and the clients whose pins count.
class StoreEvents {
 public:
  virtual ~StoreEvents() = default;

  // --- before the first call; observers must outlive the store's use ---
  virtual void AddObserver(Observer* observer) = 0;
  // No call of `observer` is under way or follows after this returns.
  virtual void RemoveObserver(Observer* observer) = 0;
  // Runs `done` once all observers have dealt with all events so far.
  virtual void AfterObservers(std::function<void()> done) = 0;
  // The clients whose pins count.  Owned by the store.
  virtual ClientRegistry& clients() = 0;
  // Hears of clients that come and go.  Owned by the store.
  virtual Catalog* catalog() = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_ROLES_H_
