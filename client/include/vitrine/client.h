// Start here: a client of a Vitrine store.
//
//   vitrine::Client client = vitrine::Client::Connect().value();
//   const auto id = vitrine::ObjectId::FromText("numbers").value();
//   vitrine::Writer writer = client.Create(id, size_bytes).value();
//   std::memcpy(writer.bytes().data(), data, size_bytes);
//   const vitrine::Status sealed = writer.Seal();
//   // From now on, in any process:
//   const vitrine::Object object = client.Get(id, vitrine::kNever).value();
//   std::fwrite(object.bytes().data(), 1, object.size_bytes(), stdout);
//
// Every failure is a value.  Nothing here throws.  Only Result::value() of an
// error ends the process.
#ifndef VITRINE_CLIENT_H_
#define VITRINE_CLIENT_H_

#include <vitrine/export.h>
#include <vitrine/metadata.h>
#include <vitrine/object_id.h>
#include <vitrine/result.h>
#include <vitrine/socket_path.h>
#include <vitrine/version.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vitrine {

class ClientImpl;
class MappedObject;
class SubscriptionImpl;
class WriterState;

// How long a call may wait.  A negative time other than kNever is kPoll.
using Timeout = std::chrono::milliseconds;
inline constexpr Timeout kPoll{0};                 // Not at all.
inline constexpr Timeout kNever = Timeout::max();  // Without limit.

struct ConnectOptions {
  // Empty: $VITRINE_SOCKET, else the default place (DefaultSocketPath).
  std::string socket_path;
  // Connect tries every 100 ms until this time has passed.
  Timeout timeout = Timeout(5000);
  // Shown in the store's status.
  std::string name;
  // The most threads with which Put copies an object of 64 MiB and more.
  // Several pay only if one cannot use up the memory's bandwidth and cores are
  // idle: measure.
  unsigned copy_threads = 1;
  // How long a Get of an unsealed object, and a Put that waits for its seal,
  // spin before they sleep.  Spinning saves the time to wake up, 5 to 50 us,
  // and uses a processor meanwhile.  With more spinning threads than
  // processors it makes everything slower.
  std::chrono::microseconds spin{0};
};

struct CreateOptions {
  Metadata metadata;
  // Permission bits; the umask that the process had at Connect applies.
  unsigned mode = 0666;
  // How long to wait for space.
  Timeout timeout = Timeout(10000);
  // Of Create: tells the store at once, which costs a message.  Then the object
  // is listed as unsealed, its id is taken, and a GetMany with stop_when_gone
  // waits for it.  Otherwise the store may learn of the object at its seal.
  bool announce = false;
};

// A put that PutLater queued and that failed.
struct FailedPut {
  ObjectId id;
  Error error;
};

// A snapshot.  Times: nanoseconds since 1970; 0: not yet.
struct ObjectStat {
  ObjectId id;
  bool sealed = false;
  uint64_t size_bytes = 0;
  unsigned mode = 0;
  unsigned uid = 0;
  unsigned gid = 0;
  int creator_pid = 0;
  int64_t created_ns = 0;
  int64_t sealed_ns = 0;
  uint64_t use_count = 0;
  bool hold = false;
  bool in_use = false;
  std::string tier;  // "memory"
};

// A sealed object, mapped read-only for as long as this value or a copy of it
// lives, even when the store goes away or the object is deleted.  Copies share
// the mapping.  Thread-safe as std::shared_ptr is.  A forked child may go on
// reading what it inherited.
//
// Keep an Object until I/O on its bytes has ended.  Zero-copy sends
// (MSG_ZEROCOPY, vmsplice, io_uring) go on reading the pages after the call.
// Once an object is deleted or evicted and no process has it mapped any more,
// its memory becomes another object's.
class VITRINE_EXPORT Object {
 public:
  std::span<const std::byte> bytes() const;
  uint64_t size_bytes() const { return bytes().size(); }
  // The metadata that the creator set.  Asks the store at the first call, and
  // only if there is any.  kDisconnected: the store went away.
  Result<Metadata> GetMetadata() const;

  Object(const Object&) = default;
  Object(Object&&) noexcept = default;
  Object& operator=(const Object&) = default;
  Object& operator=(Object&&) noexcept = default;
  ~Object() = default;

 private:
  friend class ClientImpl;
  explicit Object(std::shared_ptr<MappedObject> mapped)
      : mapped_(std::move(mapped)) {}

  std::shared_ptr<MappedObject> mapped_;
};

// An object being filled.  Move-only; destroying it unsealed aborts it.  Not
// thread-safe, but different writers are independent.
//
// A small object (see Client::Put) that was not announced is filled in this
// process's own memory, and takes no message: the seal puts it into the
// submission ring.  Nor does a larger one, up to 32 MiB, of a client that
// creates such objects steadily: the store has given it memory ahead.
class VITRINE_EXPORT Writer {
 public:
  // At first zeros, or bytes of an object that had the same owner, group and
  // mode.  Empty once the writer has ended.  Not inherited by fork.
  std::span<std::byte> bytes();
  // Makes the object immutable and visible to all; ends the writer.  After
  // these errors the writer keeps the object, and Seal may be tried again:
  //   kInUse         another process has it open or mapped writable; bytes() is
  //                  empty from now on;
  //   kOutOfMemory   there was no space for a small object in time;
  //   kOverQuota     of a small object: as Create says;
  //   kDisconnected  of a small object: it may have been sealed or not; if it
  //                  was, the next Seal says kAlreadyExists.
  // Others end it: kGone: the store lost the object meanwhile, or the client
  // was closed.  kAlreadyExists: the id was taken.  kOverQuota of one that is
  // not small.
  Status Seal();
  // The same, but pipelined, as Client::PutLater: Client::Flush tells the
  // result.  An object that took a message is sealed at once.
  Status SealLater();
  // Drops the object; ends the writer.
  Status Abort();

  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();

 private:
  friend class ClientImpl;
  explicit Writer(std::unique_ptr<WriterState> state);
  std::unique_ptr<WriterState> state_;
};

// What a user or a group has of the store, and may have.
struct Account {
  enum class Kind : uint8_t { kUser, kGroup };
  struct Amount {
    std::string resource;  // "memory" (bytes), "objects", "holds", ...
    uint64_t used = 0;
    std::optional<uint64_t> limit = {};  // None: as much as there is.
  };

  Kind kind = Kind::kUser;
  // None: it has the limits of each that has none of its own.
  std::optional<uint32_t> id = {};
  std::vector<Amount> amounts = {};
};

enum class EventKind : uint8_t {
  kSealed,
  kEvicted,
  kDeleted,
  kOverflow,      // Events were lost: list again.
  kExistingDone,  // The events of existing objects end here.
};

struct Event {
  EventKind kind;
  std::optional<ObjectId> id;  // None for kOverflow and kExistingDone.
  uint64_t size_bytes = 0;
  int64_t time_ns = 0;
};

// Where a subscription begins.
enum class EventsFrom : uint8_t {
  kNow,
  kExisting,  // First an event for each object that is sealed already.
};

// Which objects a listing has.
enum class Listed : uint8_t {
  kSealed,
  kUnsealed,  // Being written.
};

// A stream of events.  Move-only.  One thread at a time.
class VITRINE_EXPORT Subscription {
 public:
  // The next event.  kTimeout: none in time.  kDisconnected: the store went
  // away; subscribe again.
  Result<Event> Next(Timeout timeout);
  // Readable when Next would not wait; for poll(2).  Owned by this value.
  int fd() const;

  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;
  ~Subscription();

 private:
  friend class ClientImpl;
  explicit Subscription(std::unique_ptr<SubscriptionImpl> impl);
  std::unique_ptr<SubscriptionImpl> impl_;
};

// A connection to one store.  Thread-safe; a blocked call delays no other.
// Copies share the connection.  Objects may outlive it; writers are aborted
// with it.
//
// Besides the errors that a method names, every method may return
//   kDisconnected  the store went away; the client reconnects by itself,
//   kOverQuota     the user has as much of something as a quota allows,
//   kTooMany       the store has no more of something for now: connections,
//   kForked        this process is a fork of the one that connected.
class VITRINE_EXPORT Client {
 public:
  // kUnavailable: no store answered in time; the message names the paths that
  // were tried.  kVersionMismatch: the store speaks another version.
  // kOverQuota: the user has as many connections as may be, and is told at
  // once.  kTooMany: the store had no room for more until the timeout.
  static Result<Client> Connect(const ConnectOptions& options = {});

  // Reserves all of `size_bytes`, so writing never fails.  Waits for space up
  // to the options' timeout.  (A small object that is not announced takes its
  // space when it is sealed.)  kAlreadyExists: the id is taken.  (If another
  // client took it for an object that is not sealed yet, the seal may be the
  // first to say so.) kOutOfMemory: no space in time.  kTooLarge: more than the
  // capacity.  kOverQuota: the user or the group must not have so much.
  Result<Writer> Create(const ObjectId& id, uint64_t size_bytes,
                        const CreateOptions& options = {});
  // Create, copy and seal in one, with the errors of Create.  A small object
  // that others may read takes no message.  It is small if it has fewer bytes
  // than the store's --dedicated-threshold and its metadata takes at most 4 KiB
  // with 32 bytes added for each entry, and 32 more.
  // kDisconnected: the object may have been sealed or not.
  Status Put(const ObjectId& id, std::span<const std::byte> bytes,
             const CreateOptions& options = {});
  // The same, but pipelined: returns once a small object (see Put) is copied
  // into the submission ring, and waits only if the ring is full.  Flush tells
  // the result.  So it is with an object that goes into memory that the client
  // has ahead (see Writer).  Others are put at once.
  Status PutLater(const ObjectId& id, std::span<const std::byte> bytes,
                  const CreateOptions& options = {});
  // Waits until all objects that this client (any copy of it) has put before
  // are sealed or have failed.  Returns the PutLaters that failed since the
  // last Flush; if there are more than 10000, the last entry stands for the
  // rest and says how many there are.  kTimeout: some puts are still under way;
  // nothing is lost.  A put that is under way when the client is closed may be
  // sealed or not.
  Result<std::vector<FailedPut>> Flush(Timeout timeout = kNever);

  // A get of a resident object takes no system call and no message.  A sealed
  // object that is not in memory is brought back first: within `timeout`; a
  // poll, which only does not wait for a seal, waits up to a minute for that.
  // kTimeout (or, for a poll, kNotFound): the object was not sealed in time.
  // kPermissionDenied: the object's mode bits.
  Result<Object> Get(const ObjectId& id, Timeout timeout = kPoll);

  struct GetManyOptions {
    Timeout timeout = kPoll;
    // Return as soon as this many distinct ids are there; 0: all of them.
    size_t need = 0;
    // Also return when none of them is being created any more, as far as the
    // store knows (CreateOptions::announce).
    bool stop_when_gone = false;
  };
  // In the order of `ids`, which may repeat; empty where an object is not
  // there.  kInvalidArgument: `need` is more than there are distinct ids.
  // kPermissionDenied: one of them may not be read.
  Result<std::vector<std::optional<Object>>> GetMany(
      std::span<const ObjectId> ids, const GetManyOptions& options);

  // True if `id` is sealed.
  Result<bool> Contains(const ObjectId& id);
  // Of a sealed or an unsealed object.  kNotFound.
  Result<ObjectStat> Stat(const ObjectId& id);
  Result<Metadata> GetMetadata(const ObjectId& id);
  // Sorted by age, the oldest first.
  Result<std::vector<ObjectStat>> List(Listed which = Listed::kSealed);

  // Removes the name at once.  The memory is freed when no process uses it any
  // more.  kNotFound.  kNotPermitted: neither owner nor root.
  Status Delete(const ObjectId& id);
  // A result for each, in the order of `ids`.
  Result<std::vector<Status>> DeleteMany(std::span<const ObjectId> ids);
  // Evicts objects until `bytes` are freed; returns how many bytes were.
  Result<uint64_t> Evict(uint64_t bytes);
  // A held object stays in memory until the hold is dropped.  kOverQuota: its
  // owner must not hold one more.
  Status Hold(const ObjectId& id);
  Status Unhold(const ObjectId& id);

  // Seals or aborts an object that another process (or the mount) left
  // unsealed.
  Status SealByName(const ObjectId& id);
  Status AbortByName(const ObjectId& id);

  Result<Subscription> Subscribe(EventsFrom from = EventsFrom::kNow);
  // What users and groups have, and may have.
  Result<std::vector<Account>> GetAccounts();
  // Sets limits, as `vitrined --quota` has them ("memory=1G,holds=none"), of a
  // user or group; no `id`: of each that has none of its own.  They last until
  // the store ends.  kPermissionDenied: neither root nor the store's user.
  Status SetQuota(Account::Kind kind, std::optional<uint32_t> id,
                  const std::string& limits);
  // The store's status as JSON text.
  Result<std::string> GetStatus();
  // The directory of the catalog.
  Result<std::string> StateDir();

 private:
  explicit Client(std::shared_ptr<ClientImpl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<ClientImpl> impl_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_H_
