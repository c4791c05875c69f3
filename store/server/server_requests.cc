#include "store/server/server_requests.h"

#include <spdlog/spdlog.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "schema/base/mapping.h"
#include "schema/base/write_all.h"
#include "schema/submission_ring.h"
#include "store/server/server_metadata.h"
#include "store/server/server_timeouts.h"

namespace vitrine::store::server {
namespace {

// Creating, sealing or aborting an object up to this size takes less time than
// a hand-over to another thread.
constexpr uint64_t kQuickBytes = 1024 * 1024;
constexpr uint32_t kPermissionBits = 0777;

Result<NewObject> ReadOptions(const Connection& connection, uint32_t mode,
                              const MetadataEntries* entries) {
  auto metadata = ReadMetadata(entries);
  if (!metadata) return metadata.error();
  return NewObject{.creator = connection.peer(),
                   .mode = mode & kPermissionBits,
                   .metadata = std::move(*metadata)};
}

Error MayNotRead(const ObjectId& id) {
  return Error{Code::kPermissionDenied,
               "the mode of " + id.text() + " does not let you read it"};
}

// hugetlbfs has no write(2), and munmap(2) there takes only whole pages.
Status CopyByMapping(int fd, const std::string& data, uint64_t page_bytes) {
  const uint64_t pages = (data.size() + page_bytes - 1) / page_bytes;
  auto mapping = Mapping::Map(fd, pages * page_bytes, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  std::memcpy(mapping->data(), data.data(), data.size());
  return {};
}

Status Write(int fd, const std::string& data, uint64_t page_bytes) {
  Status written = WriteAllAt(fd, 0, std::as_bytes(std::span(data)));
  const bool by_mapping =
      !written && written.error().code == Code::kUnsupported;
  return by_mapping ? CopyByMapping(fd, data, page_bytes) : written;
}

Status WriteTo(Store* store, const ObjectRef& object, const std::string& data) {
  const auto fd = store->unsealed().OpenForWriting(object, kStoreItself);
  if (!fd) return fd.error();
  return Write(fd->get(), data, store->facts().page_bytes());
}

// An object that others sealed or aborted meanwhile is left alone.
void AbortUnsealed(Store* store, const ObjectRef& object) {
  if (store->objects().Info(object).state != ObjectState::kUnsealed) return;
  if (const Status aborted = store->unsealed().Abort(object); !aborted) {
    spdlog::info("abort: {}", aborted.error().ToString());
  }
}

}  // namespace

void RequestHandler::Handle(Connection* connection,
                            const protocol::Request& request) {
  using protocol::RequestBody;
  using Self = RequestHandler;
  const RequestBody type = request.body_type();
  if (type != RequestBody::List) connection->listing.reset();
  switch (type) {
    case RequestBody::Create:
      return Create(connection, *request.body_as_Create());
    case RequestBody::Put:
      return Put(connection, *request.body_as_Put());
    case RequestBody::OpenRing:
      return OpenRing(connection, *request.body_as_OpenRing());
    case RequestBody::Seal:
      return Seal(connection, request.body_as_Seal()->number());
    case RequestBody::Abort:
      return Abort(connection, request.body_as_Abort()->number());
    case RequestBody::Open:
      return WithId(connection, *request.body_as_Open()->id(), &Self::Open);
    case RequestBody::Wait:
      return Wait(connection, *request.body_as_Wait());
    case RequestBody::Stat:
      return WithId(connection, *request.body_as_Stat()->id(), &Self::Stat);
    case RequestBody::GetMetadata:
      return WithId(connection, *request.body_as_GetMetadata()->id(),
                    &Self::GetMetadata);
    case RequestBody::List:
      return List(connection, *request.body_as_List());
    case RequestBody::Delete:
      return Delete(connection, *request.body_as_Delete());
    case RequestBody::Evict:
      return Evict(connection, request.body_as_Evict()->bytes());
    case RequestBody::Want:
      return Want(connection, *request.body_as_Want());
    case RequestBody::SetHold:
      return SetHold(connection, *request.body_as_SetHold());
    case RequestBody::GetStatus:
      return GetStatus(connection, *request.body_as_GetStatus());
    case RequestBody::SealByName:
      return WithId(connection, *request.body_as_SealByName()->id(),
                    &Self::SealByName);
    case RequestBody::AbortByName:
      return WithId(connection, *request.body_as_AbortByName()->id(),
                    &Self::AbortByName);
    case RequestBody::Blanks:
      return Blanks(connection, *request.body_as_Blanks());
    case RequestBody::DropBlanks:
      return DropBlanks(connection, *request.body_as_DropBlanks());
    case RequestBody::SealBlank:
      return SealBlank(connection, *request.body_as_SealBlank());
    case RequestBody::GetAccounts:
      return GetAccounts(connection, *request.body_as_GetAccounts());
    case RequestBody::SetQuota:
      return SetQuota(connection, *request.body_as_SetQuota());
    case RequestBody::Hello:
    case RequestBody::NONE:
      break;
  }
  // A request of a newer client, which can do without it.
  ReplyFailure(connection->id(),
               Error{Code::kUnsupported, "this store knows no such request"});
}

void RequestHandler::Discard(ObjectRef object) {
  parts_.workers->Run([store = parts_.store, object = std::move(object)] {
    AbortUnsealed(store, object);
  });
}

// --- create, put ---

struct RequestHandler::SmallPut {
  uint64_t connection;
  Credentials creator;
  ObjectId id;
  mode_t mode;
  std::string data;
  MetadataRef metadata;
  SpaceWait wait;
};

void RequestHandler::Create(Connection* connection,
                            const protocol::Create& request) {
  auto id = ObjectId::FromText(request.id()->string_view());
  if (!id) return void(ReplyFailure(connection->id(), id.error()));
  auto options = ReadOptions(*connection, request.mode(), request.metadata());
  if (!options) return void(ReplyFailure(connection->id(), options.error()));
  CreateSized(connection, *id, request.size_bytes(), std::move(*options),
              request.timeout_ms(),
              [this, peer = connection->id(),
               session = connection->session](Result<ObjectRef> created) {
                FinishCreate(peer, session, std::move(created));
              });
}

void RequestHandler::FinishCreate(uint64_t connection, uint64_t session,
                                  Result<ObjectRef> created) {
  if (!created) return void(ReplyFailure(connection, created.error()));
  ClientSession* const owner = parts_.sessions->Find(session);
  Connection* const client = parts_.connections->Find(connection);
  if (owner == nullptr || client == nullptr) {
    return Discard(std::move(*created));
  }
  auto fd =
      parts_.store->unsealed().OpenForWriting(*created, client->peer().uid);
  if (!fd) {
    Discard(std::move(*created));
    return void(ReplyFailure(connection, fd.error()));
  }
  const ObjectInfo info = parts_.store->objects().Info(*created);
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(*fd));
  if (!Reply(connection, CreateMessage(info.number, info.recycled),
             std::move(fds))) {
    return Discard(std::move(*created));
  }
  owner->objects.emplace(info.number, std::move(*created));
}

void RequestHandler::Put(Connection* connection, const protocol::Put& request) {
  auto id = ObjectId::FromText(request.id()->string_view());
  if (!id) return void(ReplyFailure(connection->id(), id.error()));
  auto options = ReadOptions(*connection, request.mode(), request.metadata());
  if (!options) return void(ReplyFailure(connection->id(), options.error()));
  std::string data = ToString(request.data());
  const uint64_t size_bytes = data.size();
  if (size_bytes > kMaxInlinePutBytes) {
    return void(ReplyFailure(connection->id(),
                             Error{Code::kTooLarge, "too much for one Put"}));
  }
  const uint64_t small_bytes = parts_.store->small().small_object_bytes();
  if (small_bytes > 0 && size_bytes <= small_bytes &&
      RecordMetadataBytes(options->metadata) <= kMaxRecordMetadataBytes &&
      (options->mode & 0004) != 0) {
    return PutSmall(std::make_shared<const SmallPut>(
        SmallPut{connection->id(),
                 connection->peer(),
                 std::move(*id),
                 options->mode,
                 std::move(data),
                 ShareMetadata(std::move(options->metadata)),
                 {.deadline = DeadlineAfter(request.timeout_ms()),
                  .uid = connection->peer().uid}}));
  }
  CreateSized(connection, *id, size_bytes, std::move(*options),
              request.timeout_ms(),
              [this, peer = connection->id(),
               data = std::move(data)](Result<ObjectRef> created) {
                FinishPut(peer, data, std::move(created));
              });
}

void RequestHandler::FinishPut(uint64_t connection, const std::string& data,
                               Result<ObjectRef> created) {
  if (!created) return void(ReplyFailure(connection, created.error()));
  if (parts_.connections->Find(connection) == nullptr) {
    return Discard(std::move(*created));
  }
  const Status written = WriteTo(parts_.store, *created, data);
  if (!written) return AnswerPut(connection, *created, written);
  // Its pages are the store's own: the seal does not last.
  const ObjectInfo info = parts_.store->objects().Info(*created);
  SealSized(*created, info.id, info.size_bytes,
            [this, connection, object = *created](const Status& sealed) {
              AnswerPut(connection, object, sealed);
            });
}

void RequestHandler::AnswerPut(uint64_t connection, const ObjectRef& object,
                               const Status& sealed) {
  if (sealed) return void(Reply(connection, PutMessage()));
  AbortUnsealed(parts_.store, object);
  ReplyFailure(connection, sealed.error());
}

void RequestHandler::PutSmall(const std::shared_ptr<const SmallPut>& put) {
  Connection* const connection = parts_.connections->Find(put->connection);
  if (connection == nullptr) return;
  connection->wants_room = nullptr;
  const SmallObject object{put->id, put->mode,
                           std::as_bytes(std::span(put->data)), put->metadata};
  std::vector<Status> results;
  parts_.store->small().PutSmall(put->creator, {&object, 1}, &results);
  if (!results.empty() && results[0]) {
    return void(Reply(put->connection, PutMessage()));
  }
  if (!results.empty()) {
    return void(ReplyFailure(put->connection, results[0].error()));
  }
  connection->wants_room = put;
  // The callback may outlive this server, by waiting for space.
  auto done = [this, put, loop = parts_.loop](const Status& room) {
    loop->Post([this, put, room] {
      if (room) return PutSmall(put);
      ReplyFailure(put->connection, room.error());
    });
  };
  parts_.store->small().AddRoom(put->wait, std::move(done), put.get());
}

void RequestHandler::OpenRing(Connection* connection,
                              const protocol::OpenRing& request) {
  const ClientSession* const session =
      parts_.sessions->Find(connection->session);
  if (session == nullptr) return;  // It ends, and this connection with it.
  auto ends = parts_.submissions->Open(
      session->id, connection->peer(),
      {.bytes = request.bytes() == 0 ? kRingBytes : request.bytes(),
       .first_record = request.first_record()},
      [this, loop = parts_.loop, life_line = session->connection] {
        loop->Post([this, life_line] {
          if (Connection* peer = parts_.connections->Find(life_line)) {
            peer->End();
          }
        });
      });
  if (!ends) return void(ReplyFailure(connection->id(), ends.error()));
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(ends->ring));
  fds.push_back(std::move(ends->bell));
  Reply(connection->id(), OpenRingMessage(), std::move(fds));
}

void RequestHandler::CreateSized(Connection* connection, const ObjectId& id,
                                 uint64_t size_bytes, NewObject options,
                                 int64_t timeout_ms, CreateThen then) {
  Store* const store = parts_.store;
  const SpaceWait wait{.deadline = DeadlineAfter(timeout_ms)};
  const auto pending = std::make_shared<PendingCreate>(PendingCreate{.id = id});
  connection->creating = pending;
  // The callback may outlive this server, by waiting for space.
  auto done = [loop = parts_.loop, store, pending,
               then = std::move(then)](Result<ObjectRef> created) {
    const bool taken = loop->RunOrPost([pending, then, created] {
      pending->finished = true;
      then(created);
    });
    if (!taken && created) AbortUnsealed(store, *created);
  };
  if (size_bytes <= kQuickBytes) {
    return store->memory().CreateSized(id, size_bytes, options, wait,
                                       std::move(done));
  }
  parts_.workers->Run([this, store, pending, size_bytes, wait,
                       options = std::move(options), done = std::move(done),
                       peer = connection->id()] {
    store->memory().CreateSized(pending->id, size_bytes, options, wait, done);
    // The peer may have gone before there was anything to abandon.
    parts_.loop->Post([this, pending, peer, who = options.creator] {
      if (parts_.connections->Find(peer) == nullptr) Abandon(*pending, who);
    });
  });
}

void RequestHandler::Abandon(const PendingCreate& pending,
                             const Credentials& peer) {
  if (pending.finished) return;
  auto object = parts_.store->unsealed().FindUnsealed(pending.id);
  if (!object) return;
  // Another client may have aborted it and created the id anew.
  const ObjectInfo info = parts_.store->objects().Info(*object);
  if (info.creator_pid == peer.pid && info.uid == peer.uid) {
    Discard(std::move(*object));
  }
}

// --- seal, abort ---

void RequestHandler::Seal(Connection* connection, uint64_t number) {
  auto object = FindCreated(*connection, number);
  if (!object) return void(ReplyFailure(connection->id(), object.error()));
  const ObjectInfo info = parts_.store->objects().Info(*object);
  SealSized(*object, info.id, info.size_bytes,
            [this, peer = connection->id(), session = connection->session,
             number, object = *object](const Status& sealed) {
              FinishSeal(peer, session, number, object, sealed);
            });
}

// The session keeps the object only if the seal failed because another process
// still has it open or mapped writable.
void RequestHandler::FinishSeal(uint64_t connection, uint64_t session,
                                uint64_t number, const ObjectRef& object,
                                const Status& sealed) {
  if (sealed) {
    Forget(session, number);
    return void(Reply(connection, DoneMessage()));
  }
  Error error = sealed.error();
  if (error.code != Code::kInUse) {
    Forget(session, number);
    if (parts_.store->objects().Info(object).state == ObjectState::kGone) {
      error.code = Code::kGone;
    }
    Discard(object);
  }
  ReplyFailure(connection, error);
}

void RequestHandler::Abort(Connection* connection, uint64_t number) {
  auto object = FindCreated(*connection, number);
  if (!object) return void(ReplyFailure(connection->id(), object.error()));
  Forget(connection->session, number);
  RunSized(
      parts_.store->objects().Info(*object).size_bytes,
      [store = parts_.store, object = *object] {
        return store->unsealed().Abort(object);
      },
      [this, peer = connection->id()](const Status& aborted) {
        ReplyStatus(peer, aborted);
      });
}

void RequestHandler::SealByName(Connection* connection, const ObjectId& id) {
  auto object = FindOwned(id, connection->peer());
  if (!object) return void(ReplyFailure(connection->id(), object.error()));
  SealSized(*object, id, parts_.store->objects().Info(*object).size_bytes,
            [this, peer = connection->id()](const Status& sealed) {
              ReplyStatus(peer, sealed);
            });
}

void RequestHandler::AbortByName(Connection* connection, const ObjectId& id) {
  auto object = FindOwned(id, connection->peer());
  if (!object) return void(ReplyFailure(connection->id(), object.error()));
  RunSized(
      parts_.store->objects().Info(*object).size_bytes,
      [store = parts_.store, object = *object] {
        return store->unsealed().Abort(object);
      },
      [this, peer = connection->id()](const Status& aborted) {
        ReplyStatus(peer, aborted);
      });
}

// --- reading ---

void RequestHandler::Open(Connection* connection, const ObjectId& id) {
  OpenFor(connection->id(), connection->peer(), id);
}

void RequestHandler::OpenFor(uint64_t connection, const Credentials& who,
                             const ObjectId& id) {
  const auto object = parts_.store->sealed().FindSealed(id);
  if (!object) return void(ReplyFailure(connection, object.error()));
  ObjectInfo info = parts_.store->objects().Info(*object);
  if (!MayRead(info, who)) {
    return void(ReplyFailure(connection, MayNotRead(id)));
  }
  auto fd = parts_.store->objects().OpenForReading(*object);
  // The object may have moved meanwhile; it never moves back.
  for (uint64_t before = 0; before != info.segment();) {
    before = info.segment();
    info = parts_.store->objects().Info(*object);
    if (before != info.segment())
      fd = parts_.store->objects().OpenForReading(*object);
  }
  if (!fd && fd.error().code == Code::kUnavailable) {
    return OpenOnceInMemory(connection, who, id);
  }
  if (!fd) return void(ReplyFailure(connection, fd.error()));
  parts_.store->objects().Touch(*object);
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(*fd));
  Reply(connection, OpenMessage(info), std::move(fds));
}

void RequestHandler::OpenOnceInMemory(uint64_t connection,
                                      const Credentials& who,
                                      const ObjectId& id) {
  parts_.store->sealed().Want(
      id, {.fail_when_stuck = true},
      [this, connection, who, id, loop = parts_.loop](Result<void> here) {
        loop->Post([this, connection, who, id, here] {
          if (!here) return void(ReplyFailure(connection, here.error()));
          OpenFor(connection, who, id);
        });
      });
}

void RequestHandler::Stat(Connection* connection, const ObjectId& id) {
  auto object = parts_.store->sealed().FindSealed(id);
  if (!object) object = parts_.store->unsealed().FindUnsealed(id);
  if (!object) return void(ReplyFailure(connection->id(), object.error()));
  const bool in_use = parts_.store->objects().InUse(*object);
  Reply(connection->id(),
        StatMessage(parts_.store->objects().Info(*object), in_use));
}

void RequestHandler::GetMetadata(Connection* connection, const ObjectId& id) {
  auto object = parts_.store->sealed().FindSealed(id);
  if (!object) object = parts_.store->unsealed().FindUnsealed(id);
  if (!object) return void(ReplyFailure(connection->id(), object.error()));
  if (!MayRead(parts_.store->objects().Info(*object), connection->peer())) {
    return void(ReplyFailure(connection->id(), MayNotRead(id)));
  }
  const auto metadata = parts_.store->objects().GetMetadata(*object);
  Reply(connection->id(),
        MetadataMessage(metadata == nullptr ? Metadata() : *metadata));
}

void RequestHandler::Want(Connection* connection,
                          const protocol::Want& request) {
  const auto id = ObjectId::FromText(request.id()->string_view());
  if (!id) return void(ReplyFailure(connection->id(), id.error()));
  const auto object = parts_.store->sealed().FindSealed(*id);
  if (!object) return void(ReplyFailure(connection->id(), object.error()));
  if (!MayRead(parts_.store->objects().Info(*object), connection->peer())) {
    return void(ReplyFailure(connection->id(), MayNotRead(*id)));
  }
  parts_.store->sealed().Want(
      *id, {.deadline = DeadlineAfter(request.timeout_ms())},
      [this, peer = connection->id(), loop = parts_.loop](Result<void> here) {
        loop->Post([this, peer, here] { ReplyStatus(peer, here); });
      });
}

void RequestHandler::SetHold(Connection* connection,
                             const protocol::SetHold& request) {
  auto id = ObjectId::FromText(request.id()->string_view());
  if (!id) return void(ReplyFailure(connection->id(), id.error()));
  auto object = parts_.store->sealed().FindSealed(*id);
  if (!object) return void(ReplyFailure(connection->id(), object.error()));
  ReplyStatus(connection->id(),
              parts_.store->sealed().SetHold(*object, request.hold(),
                                             connection->peer()));
}

// --- helpers ---

void RequestHandler::WithId(Connection* connection,
                            const flatbuffers::String& text,
                            void (RequestHandler::*handle)(Connection*,
                                                           const ObjectId&)) {
  const auto id = ObjectId::FromText(text.string_view());
  if (!id) return void(ReplyFailure(connection->id(), id.error()));
  (this->*handle)(connection, *id);
}

void RequestHandler::RunSized(uint64_t size_bytes, std::function<Status()> work,
                              std::function<void(const Status&)> then) {
  if (size_bytes <= kQuickBytes) return then(work());
  parts_.workers->Run(
      [loop = parts_.loop, work = std::move(work), then = std::move(then)] {
        const Status status = work();
        loop->Post([then, status] { then(status); });
      });
}

void RequestHandler::SealSized(const ObjectRef& object, const ObjectId& id,
                               uint64_t size_bytes,
                               std::function<void(const Status&)> then) {
  auto done = [loop = parts_.loop, then = std::move(then)](Status sealed) {
    loop->RunOrPost([then, sealed] { then(sealed); });
  };
  auto seal = [store = parts_.store, object, id, done = std::move(done)] {
    store->unsealed().Seal(object, id, done);
  };
  if (size_bytes <= kQuickBytes) return seal();
  parts_.workers->Run(std::move(seal));
}

Result<ObjectRef> RequestHandler::FindOwned(const ObjectId& id,
                                            const Credentials& who) {
  auto object = parts_.store->unsealed().FindUnsealed(id);
  if (!object) return object;
  if (!IsOwner(parts_.store->objects().Info(*object), who)) {
    return Error{Code::kNotPermitted, id.text() + " is somebody else's"};
  }
  return object;
}

Result<ObjectRef> RequestHandler::FindCreated(const Connection& connection,
                                              uint64_t number) {
  const ClientSession* const session =
      parts_.sessions->Find(connection.session);
  if (session != nullptr) {
    const auto found = session->objects.find(number);
    if (found != session->objects.end()) return found->second;
  }
  return Error{Code::kNotFound,
               "this client is not writing object " + std::to_string(number)};
}

void RequestHandler::Forget(uint64_t session, uint64_t number) {
  ClientSession* const owner = parts_.sessions->Find(session);
  if (owner != nullptr) owner->objects.erase(number);
}

bool RequestHandler::Reply(uint64_t connection, Message message,
                           std::vector<UniqueFd> fds) {
  Connection* const peer = parts_.connections->Find(connection);
  if (peer == nullptr) return false;
  peer->busy = false;
  if (message->size() > kMaxMessageBytes) {
    fds.clear();
    message = FailureMessage(
        Error{Code::kTooLarge, "the answer is too long for one message"});
  }
  return peer->Send(std::move(message), std::move(fds));
}

}  // namespace vitrine::store::server
