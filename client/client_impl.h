// The implementation of vitrine::Client: each method of the public class by
// means of the index, requests to the store, and waits.
#ifndef VITRINE_CLIENT_CLIENT_IMPL_H_
#define VITRINE_CLIENT_CLIENT_IMPL_H_

#include <sys/types.h>
#include <vitrine/client.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/base/deadline.h"
#include "client/client_core.h"
#include "client/session_keeper.h"
#include "schema/protocol.h"

namespace vitrine {

class SegmentWriter;
class WriterState;

// Thread-safe.  Owns the connection to the store.
class ClientImpl : public std::enable_shared_from_this<ClientImpl> {
 public:
  static Result<std::shared_ptr<ClientImpl>> Connect(
      const ConnectOptions& options);

  // --- writer.cc ---
  Result<Writer> Create(const ObjectId& id, uint64_t size_bytes,
                        const CreateOptions& options);

  // --- put.cc ---
  Status Put(const ObjectId& id, std::span<const std::byte> bytes,
             const CreateOptions& options);
  Status PutLater(const ObjectId& id, std::span<const std::byte> bytes,
                  const CreateOptions& options);
  Result<std::vector<FailedPut>> Flush(Timeout timeout);

  // --- get.cc ---
  Result<Object> Get(const ObjectId& id, Timeout timeout);
  Result<bool> Contains(const ObjectId& id);
  // The object if it is sealed now; empty: it is not.  If it is elsewhere,
  // waits until it is back or `back_by` has passed: kTimeout.
  Result<std::optional<Object>> GetNow(const ObjectId& id, Deadline back_by);
  // Has the store bring an object that is elsewhere into memory.  kTimeout: not
  // until `deadline`.  OK if the object is gone.
  Status Want(const ObjectId& id, Deadline deadline);
  Status AwaitSeal(const ObjectId& id, Deadline deadline);
  // Waits in the store until `need` of `ids` (at most kMaxIdsPerRequest) are
  // sealed; returns the state of each.
  Result<std::vector<protocol::WaitState>> WaitInStore(
      std::vector<std::string> ids, size_t need, Deadline deadline,
      bool stop_when_gone);

  // --- requests.cc ---
  Result<ObjectStat> Stat(const ObjectId& id);
  Result<Metadata> GetMetadata(const ObjectId& id);
  Result<std::vector<ObjectStat>> List(Listed which);
  Result<std::vector<Status>> DeleteMany(std::span<const ObjectId> ids);
  Result<uint64_t> Evict(uint64_t bytes);
  Status SetHold(const ObjectId& id, bool hold);
  Status SealByName(const ObjectId& id);
  Status AbortByName(const ObjectId& id);
  Result<std::vector<Account>> GetAccounts();
  Status SetQuota(Account::Kind kind, std::optional<uint32_t> id,
                  const std::string& limits);
  Result<std::string> GetStatus();
  Result<std::string> StateDir();

  // --- subscription.cc ---
  Result<Subscription> Subscribe(EventsFrom from);

  ClientCore& core() { return *core_; }

 private:
  // An unsealed object and a writable descriptor of it.
  struct NewObject {
    std::unique_ptr<SegmentWriter> writer;
    PrivateFd fd;
    bool recycled = false;  // Its pages are there, with old content.
  };

  ClientImpl(std::shared_ptr<ClientCore> core, const ConnectOptions& options,
             mode_t umask)
      : core_(core),
        name_(options.name),
        umask_(umask),
        copy_threads_(options.copy_threads),
        keeper_(core, options.name) {}

  Result<unsigned> ModeOf(const CreateOptions& options) const;
  // True if such an object may be filled here and go through the ring.
  Result<bool> MayBeSmall(uint64_t size_bytes, const CreateOptions& options);
  // kAlreadyExists: `id` is sealed.
  Status CheckNotSealed(const ObjectId& id);
  // A writer on a blank of the session; null: there is none for such an object.
  Result<std::unique_ptr<WriterState>> WriteToBlank(
      const ObjectId& id, uint64_t size_bytes, const CreateOptions& options);
  Result<Writer> CreateSmall(const ObjectId& id, uint64_t size_bytes,
                             const CreateOptions& options);
  Result<NewObject> Reserve(const ObjectId& id, uint64_t size_bytes,
                            const CreateOptions& options);
  // The two ways to put: waiting for the answer, or pipelined.
  struct PutWay {
    Status (RingWriter::*put)(const SmallPut&);
    Status (WriterState::*seal)();
  };
  Status PutBy(const PutWay& way, const ObjectId& id,
               std::span<const std::byte> bytes, const CreateOptions& options);
  // Puts through the ring or into a blank.  False: neither takes the object.
  Result<bool> PutWithoutMessage(const PutWay& way, const ObjectId& id,
                                 std::span<const std::byte> bytes,
                                 const CreateOptions& options, unsigned mode);
  Status PutInBlank(const PutWay& way, std::unique_ptr<WriterState> writer,
                    std::span<const std::byte> bytes) const;
  // The ring for such an object; null: it must not go through a ring.
  Result<RingWriter*> RingFor(const HeldSession& session, size_t size_bytes,
                              const Metadata& metadata, unsigned mode);
  Status PutDirectly(const ObjectId& id, std::span<const std::byte> bytes,
                     const CreateOptions& options, unsigned mode);
  Status PutInline(const ObjectId& id, std::span<const std::byte> bytes,
                   const CreateOptions& options, unsigned mode);
  Status PutLarge(const ObjectId& id, std::span<const std::byte> bytes,
                  const CreateOptions& options);
  Status Fill(const NewObject& object, std::span<const std::byte> bytes) const;
  Status DeleteSome(std::span<const ObjectId> ids,
                    std::vector<Status>* results);

  const std::shared_ptr<ClientCore> core_;
  const std::string name_;
  const mode_t umask_;  // The process's, when it connected.
  const unsigned copy_threads_;
  SessionKeeper keeper_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_CLIENT_IMPL_H_
