#ifndef VITRINE_STORE_SERVER_SERVER_REQUESTS_H_
#define VITRINE_STORE_SERVER_SERVER_REQUESTS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "schema/protocol.h"
#include "store/base/worker_pool.h"
#include "store/server/server_connection.h"
#include "store/server/server_loop.h"
#include "store/server/server_messages.h"
#include "store/server/server_sessions.h"
#include "store/server/server_waits.h"
#include "store/server/submissions.h"
#include "store/store.h"

namespace vitrine::store::server {

// Answers the requests of kCall connections.  Long requests run on the workers.
// The answer is always sent by the loop's thread, and only if the connection is
// still there.
//
// Permissions:
//   read an object or its metadata            by the object's mode bits
//   delete, hold, seal and abort by name      the object's owner and root
//   seal and abort by number                  the session that created it
//   blanks                                    the session that asked for them
//   list, stat, wait, evict, see accounts     every user who may connect
//   set quotas                                root and the store's user
//
// On the loop's thread only.  Its parts must outlive it, and its workers must
// be shut down before it is destroyed.
class RequestHandler {
 public:
  struct Parts {
    Store* store;
    std::shared_ptr<EventLoop> loop;
    WorkerPool* workers;
    ConnectionTable* connections;
    Submissions* submissions;
    SessionTable* sessions;
    WaitTable* waits;
  };
  explicit RequestHandler(Parts parts) : parts_(std::move(parts)) {}

  // `request` was verified; it need not outlive the call.
  void Handle(Connection* connection, const protocol::Request& request);
  // Aborts an unsealed object, soon.
  void Discard(ObjectRef object);
  // The peer is gone: its pending create must stop to wait for space, because
  // it keeps the id taken.
  void Abandon(const PendingCreate& pending, const Credentials& peer);

 private:
  using CreateThen = std::function<void(Result<ObjectRef> created)>;

  // --- one object (server_requests.cc) ---
  void Create(Connection* connection, const protocol::Create& request);
  void FinishCreate(uint64_t connection, uint64_t session,
                    Result<ObjectRef> created);
  void Put(Connection* connection, const protocol::Put& request);
  void FinishPut(uint64_t connection, const std::string& data,
                 Result<ObjectRef> created);
  void AnswerPut(uint64_t connection, const ObjectRef& object,
                 const Status& sealed);
  // A put of an object that goes into a slab.
  struct SmallPut;
  void PutSmall(const std::shared_ptr<const SmallPut>& put);
  void OpenRing(Connection* connection, const protocol::OpenRing& request);
  void Seal(Connection* connection, uint64_t number);
  void FinishSeal(uint64_t connection, uint64_t session, uint64_t number,
                  const ObjectRef& object, const Status& sealed);
  void Abort(Connection* connection, uint64_t number);
  void Open(Connection* connection, const ObjectId& id);
  void OpenFor(uint64_t connection, const Credentials& who, const ObjectId& id);
  // OpenFor, after the object was brought back into memory.
  void OpenOnceInMemory(uint64_t connection, const Credentials& who,
                        const ObjectId& id);
  void Stat(Connection* connection, const ObjectId& id);
  void GetMetadata(Connection* connection, const ObjectId& id);
  void Want(Connection* connection, const protocol::Want& request);
  void SetHold(Connection* connection, const protocol::SetHold& request);
  void SealByName(Connection* connection, const ObjectId& id);
  void AbortByName(Connection* connection, const ObjectId& id);

  // --- blanks (server_blank_requests.cc) ---
  void Blanks(Connection* connection, const protocol::Blanks& request);
  struct NewBlanks;
  void FinishBlanks(uint64_t connection, NewBlanks* made);
  void DropBlanks(Connection* connection, const protocol::DropBlanks& request);
  void SealBlank(Connection* connection, const protocol::SealBlank& request);

  // --- many objects (server_bulk_requests.cc) ---
  void Wait(Connection* connection, const protocol::Wait& request);
  void List(Connection* connection, const protocol::List& request);
  void Delete(Connection* connection, const protocol::Delete& request);
  void Evict(Connection* connection, uint64_t bytes);
  void GetStatus(Connection* connection, const protocol::GetStatus& request);

  // --- accounts (server_account_requests.cc) ---
  void GetAccounts(Connection* connection,
                   const protocol::GetAccounts& request);
  void SetQuota(Connection* connection, const protocol::SetQuota& request);

  // Calls `handle` with the id, or answers that `text` is no valid id.
  void WithId(Connection* connection, const flatbuffers::String& text,
              void (RequestHandler::*handle)(Connection*, const ObjectId&));
  // CreateSized, with `then` on the loop's thread.
  void CreateSized(Connection* connection, const ObjectId& id,
                   uint64_t size_bytes, NewObject options, int64_t timeout_ms,
                   CreateThen then);
  // Runs `work` on an object of `size_bytes`: here if the object is small, else
  // on a worker.  Then runs `then` with its result on the loop's thread.
  void RunSized(uint64_t size_bytes, std::function<Status()> work,
                std::function<void(const Status&)> then);
  // Seals an object of `size_bytes`: begins here if it is small, else on a
  // worker.  Then runs `then` with the result on the loop's thread.
  void SealSized(const ObjectRef& object, const ObjectId& id,
                 uint64_t size_bytes, std::function<void(const Status&)> then);
  // An unsealed object that `who` may seal or abort by its name.
  Result<ObjectRef> FindOwned(const ObjectId& id, const Credentials& who);
  // kNotFound: `number` is not among the session's unsealed objects.
  Result<ObjectRef> FindCreated(const Connection& connection, uint64_t number);
  void Forget(uint64_t session, uint64_t number);

  // Replies after all observers are done: a client that has the answer finds
  // deleted names gone everywhere.
  void ReplyAfterObservers(uint64_t connection, Message message);
  // False: the connection is gone, or ending.
  bool Reply(uint64_t connection, Message message,
             std::vector<UniqueFd> fds = {});
  bool ReplyFailure(uint64_t connection, const Error& error) {
    return Reply(connection, FailureMessage(error));
  }
  bool ReplyStatus(uint64_t connection, const Status& status) {
    return Reply(connection,
                 status ? DoneMessage() : FailureMessage(status.error()));
  }

  const Parts parts_;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_REQUESTS_H_
