// The requests about many objects.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "store/accounts/charged.h"
#include "store/server/server_requests.h"
#include "store/server/server_timeouts.h"

namespace vitrine::store::server {
namespace {

// A page is as many objects as fit a message.
constexpr size_t kMaxObjectsPerPage = 1024;
constexpr size_t kPageBytes = kMaxMessageBytes - 1024;
// What an object takes of it besides its id, generously.
constexpr size_t kListedBytes = 160;

using Ids = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;

Status CheckCount(const Ids& ids) {
  if (ids.size() <= kMaxIdsPerRequest) return {};
  return Error{
      Code::kInvalidArgument,
      "more than " + std::to_string(kMaxIdsPerRequest) + " ids in one request"};
}

uint8_t CodeByte(const Status& status) {
  return status ? uint8_t{0} : static_cast<uint8_t>(status.error().code);
}

// A code for each of `ids`; those that are none are refused one by one.
std::vector<uint8_t> DeleteAll(Store* store,
                               const std::vector<Result<ObjectId>>& ids,
                               const Credentials& who) {
  std::vector<ObjectId> valid;
  for (const Result<ObjectId>& id : ids) {
    if (id) valid.push_back(*id);
  }
  const auto deleted = store->sealed().DeleteMany(valid, who);
  auto next = deleted.begin();
  std::vector<uint8_t> codes;
  for (const Result<ObjectId>& id : ids) {
    codes.push_back(CodeByte(id ? *next++ : Status(id.error())));
  }
  return codes;
}

// Leaves of `listed` what fits a page; true: that is not all.
bool CutToPage(std::vector<ListedObject>* listed) {
  size_t bytes = 0;
  for (size_t i = 0; i < listed->size(); ++i) {
    bytes += kListedBytes + (*listed)[i].info.id.text().size();
    if (bytes <= kPageBytes) continue;
    listed->erase(listed->begin() + static_cast<ptrdiff_t>(i), listed->end());
    return true;
  }
  return false;
}

// The objects of `listing` that come next, and where to go on.
Message NextPage(Store* store, Listing* listing, size_t limit) {
  const std::span objects(listing->objects);
  while (listing->next < objects.size() &&
         NumberOf(*objects[listing->next]) <= listing->after) {
    ++listing->next;
  }
  const size_t count = std::min(limit, objects.size() - listing->next);
  auto listed = store->objects().Describe(objects.subspan(listing->next, count),
                                          listing->state);
  if (CutToPage(&listed)) {
    listing->after = listed.back().info.number;
    return ListMessage(listed, listing->after, false);
  }
  listing->next += count;
  if (count > 0) listing->after = NumberOf(*objects[listing->next - 1]);
  const bool done = listing->next == objects.size();
  return ListMessage(listed, listing->after, done);
}

}  // namespace

void RequestHandler::Wait(Connection* connection,
                          const protocol::Wait& request) {
  if (Status checked = CheckCount(*request.ids()); !checked) {
    return void(ReplyFailure(connection->id(), checked.error()));
  }
  WaitTable::Request wait{.ids = {},
                          .need = request.need(),
                          .deadline = DeadlineAfter(request.timeout_ms()),
                          .stop_when_gone = request.stop_when_gone()};
  for (const flatbuffers::String* text : *request.ids()) {
    auto id = ObjectId::FromText(text->string_view());
    if (!id) return void(ReplyFailure(connection->id(), id.error()));
    wait.ids.push_back(std::move(*id));
  }
  const uint64_t peer = connection->id();
  const Credentials& who = connection->peer();
  // Until the wait is over, or the peer gone.
  auto charged = Charged::Make(&parts_.store->facts().accounts(), PayerOf(who),
                               Resource::kWaiters, wait.ids.size());
  if (!charged) return void(ReplyFailure(peer, charged.error()));
  parts_.waits->Start(peer, std::move(wait),
                      [this, peer, charged = std::move(*charged)](
                          const std::vector<WaitTable::State>& states) {
                        Reply(peer, WaitMessage(states));
                      });
}

void RequestHandler::List(Connection* connection,
                          const protocol::List& request) {
  const auto state =
      request.unsealed() ? ObjectState::kUnsealed : ObjectState::kSealed;
  const size_t limit =
      request.limit() == 0
          ? kMaxObjectsPerPage
          : std::min<size_t>(request.limit(), kMaxObjectsPerPage);
  // The objects are asked for once in a listing, so that many take no longer
  // than they must.
  std::shared_ptr<Listing> listing = std::move(connection->listing);
  const bool goes_on = listing != nullptr && request.after() != 0 &&
                       listing->after == request.after() &&
                       listing->state == state;
  if (!goes_on) {
    listing = std::make_shared<Listing>(
        Listing{.state = state, .objects = {}, .after = request.after()});
  }
  parts_.workers->Run([this, store = parts_.store, listing, limit, goes_on,
                       peer = connection->id()] {
    if (!goes_on) listing->objects = store->objects().List(listing->state);
    const Message page = NextPage(store, listing.get(), limit);
    parts_.loop->Post([this, peer, listing, page] {
      Connection* const asker = parts_.connections->Find(peer);
      if (asker == nullptr) return;
      if (listing->next < listing->objects.size()) asker->listing = listing;
      Reply(peer, page);
    });
  });
}

void RequestHandler::Delete(Connection* connection,
                            const protocol::Delete& request) {
  if (Status checked = CheckCount(*request.ids()); !checked) {
    return void(ReplyFailure(connection->id(), checked.error()));
  }
  std::vector<Result<ObjectId>> ids;
  for (const flatbuffers::String* text : *request.ids()) {
    ids.push_back(ObjectId::FromText(text->string_view()));
  }
  parts_.workers->Run([this, ids = std::move(ids), who = connection->peer(),
                       peer = connection->id(), loop = parts_.loop,
                       store = parts_.store] {
    std::vector<uint8_t> codes = DeleteAll(store, ids, who);
    // A client that has the answer finds the names gone everywhere.
    store->events().AfterObservers([this, loop, peer,
                                    codes = std::move(codes)] {
      loop->Post([this, peer, codes] { Reply(peer, DeleteMessage(codes)); });
    });
  });
}

void RequestHandler::Evict(Connection* connection, uint64_t bytes) {
  auto finish = [this, peer = connection->id()](Result<uint64_t> evicted) {
    if (!evicted) return void(ReplyFailure(peer, evicted.error()));
    ReplyAfterObservers(peer, EvictMessage(*evicted));
  };
  parts_.store->sealed().Evict(
      bytes, [loop = parts_.loop,
              finish = std::move(finish)](Result<uint64_t> evicted) {
        loop->Post([finish, evicted] { finish(evicted); });
      });
}

// On a worker, as all that asks the observers: workers end before they do.
void RequestHandler::ReplyAfterObservers(uint64_t connection, Message message) {
  parts_.workers->Run([this, connection, message = std::move(message),
                       loop = parts_.loop, store = parts_.store] {
    store->events().AfterObservers([this, connection, message, loop] {
      loop->Post([this, connection, message] { Reply(connection, message); });
    });
  });
}

void RequestHandler::GetStatus(Connection* connection,
                               const protocol::GetStatus& request) {
  parts_.workers->Run([this, store = parts_.store, peer = connection->id(),
                       in_parts = request.in_parts()] {
    const auto messages =
        StatusMessages(store->facts().StatusJson().dump(), in_parts);
    parts_.loop->Post([this, peer, messages] {
      for (const Message& message : messages) Reply(peer, message);
    });
  });
}

}  // namespace vitrine::store::server
