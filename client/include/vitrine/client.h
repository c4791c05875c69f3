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
// Every failure is a value.  Nothing here throws, and nothing ends the process
// but Result::value() of an error.
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

// How long a call may wait.  A negative time other than kNever is kPoll.
using Timeout = std::chrono::milliseconds;
inline constexpr Timeout kPoll{0};                 // Not at all.
inline constexpr Timeout kNever = Timeout::max();  // Without limit.

struct ConnectOptions {
  // Empty: $VITRINE_SOCKET, else the default place (DefaultSocketPath).
  std::string socket_path;
  // Tries every 100 ms until then.
  Timeout timeout = Timeout(5000);
  // Shown in the store's status.
  std::string name;
  // Put copies objects of 64 MiB and more by up to so many threads.  More than
  // one pays only where one cannot use up what the memory gives, and cores are
  // idle: measure.
  unsigned copy_threads = 1;
  // How long a Get of what is not sealed yet, and a Put that waits for its
  // seal, look for it without a pause before they sleep.  It saves the time to
  // wake up, 5 to 50 us, and costs a processor for as long; with fewer
  // processors than threads that spin it makes everything slower.
  std::chrono::microseconds spin{0};
};

struct CreateOptions {
  Metadata metadata;
  // Permission bits; the umask that the process had at Connect applies.
  unsigned mode = 0666;
  // How long to wait for space.
  Timeout timeout = Timeout(10000);
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
// Keep it until I/O on its bytes has ended.  Zero-copy sends (MSG_ZEROCOPY,
// vmsplice, io_uring) go on reading the pages after the call; once nobody has
// the object mapped any more, and it is deleted or evicted, its memory becomes
// another object's.
class VITRINE_EXPORT Object {
 public:
  std::span<const std::byte> bytes() const;
  uint64_t size_bytes() const { return bytes().size(); }
  // What the creator said about it.  Asks the store at the first call, and
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
class VITRINE_EXPORT Writer {
 public:
  // Empty after the end.  Not inherited by fork.
  std::span<std::byte> bytes();
  // Makes it immutable and visible to all; ends the writer.  kInUse: another
  // process holds it writable; then, and only then, the object stays unsealed,
  // the writer keeps it (without its bytes) and Seal may be tried again.
  // kGone: the store lost it meanwhile.  kAlreadyExists: the id was taken.
  Status Seal();
  // Gives it up; ends the writer.
  Status Abort();

  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();

 private:
  friend class ClientImpl;
  struct State;
  explicit Writer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

enum class EventKind : uint8_t {
  kSealed,
  kEvicted,
  kDeleted,
  kOverflow,      // Events were lost: list again.
  kExistingDone,  // All that was sealed at the start has been said.
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
  kExisting,  // With an event for each object that is sealed already.
};

// Which objects a listing has.
enum class Listed : uint8_t {
  kSealed,
  kUnsealed,  // Those being written.
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
// Besides what each method names, every one but the destructor may say
//   kDisconnected  the store went away; the client reconnects by itself,
//   kForked        this process is a fork of the one that connected.
class VITRINE_EXPORT Client {
 public:
  // kUnavailable: no store answered in time; the message says where it was
  // sought.  kVersionMismatch: it speaks another version.
  static Result<Client> Connect(const ConnectOptions& options = {});

  // Reserves `size_bytes`, all of it: writing never fails.  Waits for space up
  // to the options' timeout.  kAlreadyExists: the id is taken, sealed or not.
  // kOutOfMemory: no space in time.  kTooLarge: more than the capacity.
  Result<Writer> Create(const ObjectId& id, uint64_t size_bytes,
                        const CreateOptions& options = {});
  // Create, copy and seal in one; says what Create says.  A small object that
  // others may read and that has no metadata takes no message.  kDisconnected:
  // it may have been sealed or not.
  Status Put(const ObjectId& id, std::span<const std::byte> bytes,
             const CreateOptions& options = {});
  // The same, but of a small object (see Put) that has been copied it does not
  // wait until it is sealed; only, if too many are on their way, until some
  // are.  What becomes of it, Flush says.  Other objects are put at once.
  Status PutLater(const ObjectId& id, std::span<const std::byte> bytes,
                  const CreateOptions& options = {});
  // Returns when all that this client (any copy of it) has put before is sealed
  // or has failed, with the PutLaters that failed since the last Flush.  Of
  // more than 10000, the last entry stands for the rest, and says how many.
  // kTimeout: some are still on their way; nothing is lost.  What is on its
  // way when the client is closed may be sealed or not.
  Result<std::vector<FailedPut>> Flush(Timeout timeout = kNever);

  // A resident object takes no system call and no message.  kTimeout (or, for
  // a poll, kNotFound): not sealed in time.  kPermissionDenied: its mode bits.
  Result<Object> Get(const ObjectId& id, Timeout timeout = kPoll);

  struct GetManyOptions {
    Timeout timeout = kPoll;
    // Return as soon as this many distinct ids are there; 0: all of them.
    size_t need = 0;
    // Also return when nobody is creating one of them any more.
    bool stop_when_gone = false;
  };
  // In the order of `ids`, which may repeat; empty where it is not there.
  // kInvalidArgument: more are needed than there are distinct ids.
  // kPermissionDenied: one of them may not be read.
  Result<std::vector<std::optional<Object>>> GetMany(
      std::span<const ObjectId> ids, const GetManyOptions& options);

  // True if `id` is sealed.
  Result<bool> Contains(const ObjectId& id);
  // Sealed or unsealed.  kNotFound.
  Result<ObjectStat> Stat(const ObjectId& id);
  Result<Metadata> GetMetadata(const ObjectId& id);
  // The oldest first.
  Result<std::vector<ObjectStat>> List(Listed which = Listed::kSealed);

  // The name goes at once, the memory when nobody uses it any more.
  // kNotFound.  kNotPermitted: neither owner nor root.
  Status Delete(const ObjectId& id);
  // A result for each, in the order of `ids`.
  Result<std::vector<Status>> DeleteMany(std::span<const ObjectId> ids);
  // Evicts until `bytes` are free that were not; says how many were.
  Result<uint64_t> Evict(uint64_t bytes);
  // A held object stays in memory until the hold is dropped.
  Status Hold(const ObjectId& id);
  Status Unhold(const ObjectId& id);

  // Seals or aborts what another process (or the mount) left unsealed.
  Status SealByName(const ObjectId& id);
  Status AbortByName(const ObjectId& id);

  Result<Subscription> Subscribe(EventsFrom from = EventsFrom::kNow);
  // The store's status as JSON text.
  Result<std::string> GetStatus();
  // Where the catalog is.
  Result<std::string> StateDir();

 private:
  explicit Client(std::shared_ptr<ClientImpl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<ClientImpl> impl_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_H_
