// The requests about blanks.
#include <memory>
#include <utility>
#include <vector>

#include "store/server/server_metadata.h"
#include "store/server/server_requests.h"

namespace vitrine::store::server {

// What a worker has made, until the loop's thread gives it away.
struct RequestHandler::NewBlanks {
  Store* store;
  std::shared_ptr<SessionBlanks> owner;
  std::vector<ObjectRef> blanks;
  std::vector<UniqueFd> fds;
  Status failed = {};  // Why there are no more.

  void Make(const NewBlank& blank, size_t wanted) {
    const size_t count = owner->BeginMaking(wanted);
    MakeSome(blank, count);
    if (count > 0) owner->EndMaking();
  }
  void MakeSome(const NewBlank& blank, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      auto made = store->blanks().MakeBlank(blank);
      if (!made) {
        failed = made.error();
        return;
      }
      auto fd = store->blanks().OpenBlank(*made);
      if (!fd || !owner->Add(*made)) {
        return store->blanks().DropBlank(*std::move(made));
      }
      blanks.push_back(*std::move(made));
      fds.push_back(*std::move(fd));
    }
  }
  void DropAll() {
    fds.clear();
    for (ObjectRef& blank : blanks) {
      owner->Take(NumberOf(*blank));
      store->blanks().DropBlank(std::move(blank));
    }
  }
};

void RequestHandler::Blanks(Connection* connection,
                            const protocol::Blanks& request) {
  auto owner = parts_.submissions->BlanksOf(connection->session);
  if (owner == nullptr) {
    return void(ReplyFailure(connection->id(),
                             Error{Code::kUnsupported, "blanks need a ring"}));
  }
  if (request.count() == 0) {
    return void(Reply(connection->id(), BlanksMessage({})));
  }
  if (request.size_bytes() == 0 || request.size_bytes() > kMaxBlankBytes ||
      request.count() > kMaxBlanksPerRequest ||
      (request.mode() & ~0777U) != 0) {
    return void(ReplyFailure(connection->id(),
                             Error{Code::kInvalidArgument, "no such blanks"}));
  }
  const NewBlank blank{.creator = connection->peer(),
                       .mode = request.mode(),
                       .size_bytes = request.size_bytes()};
  const auto made = std::make_shared<NewBlanks>(
      NewBlanks{parts_.store, std::move(owner), {}, {}});
  parts_.workers->Run([this, loop = parts_.loop, made, blank,
                       count = request.count(), peer = connection->id()] {
    made->Make(blank, count);
    loop->Post([this, made, peer] { FinishBlanks(peer, made.get()); });
  });
}

void RequestHandler::FinishBlanks(uint64_t connection, NewBlanks* made) {
  if (made->blanks.empty() && !made->failed &&
      made->failed.error().code == Code::kUnsupported) {
    return void(ReplyFailure(connection, made->failed.error()));
  }
  std::vector<uint64_t> numbers;
  for (const ObjectRef& blank : made->blanks) {
    numbers.push_back(NumberOf(*blank));
  }
  if (!Reply(connection, BlanksMessage(numbers), std::move(made->fds))) {
    made->DropAll();
  }
}

void RequestHandler::DropBlanks(Connection* connection,
                                const protocol::DropBlanks& request) {
  const auto owner = parts_.submissions->BlanksOf(connection->session);
  if (owner != nullptr && request.numbers() != nullptr) {
    for (const uint64_t number : *request.numbers()) {
      ObjectRef blank = owner->Take(number);
      if (blank != nullptr) parts_.store->blanks().DropBlank(std::move(blank));
    }
  }
  Reply(connection->id(), DoneMessage());
}

void RequestHandler::SealBlank(Connection* connection,
                               const protocol::SealBlank& request) {
  auto id = ObjectId::FromText(request.id()->string_view());
  if (!id) return void(ReplyFailure(connection->id(), id.error()));
  auto metadata = ReadMetadata(request.metadata());
  if (!metadata) return void(ReplyFailure(connection->id(), metadata.error()));
  const auto owner = parts_.submissions->BlanksOf(connection->session);
  if (owner == nullptr) {
    return void(ReplyFailure(connection->id(),
                             Error{Code::kNotFound, "no such blank"}));
  }
  SessionBlanks::SealOne(
      owner, &parts_.store->blanks(),
      {.number = request.number(),
       .keep_if_in_use = request.keep_if_in_use(),
       .seal = {std::move(*id), request.size_bytes(),
                ShareMetadata(std::move(*metadata))}},
      [this, loop = parts_.loop, peer = connection->id()](Status sealed) {
        loop->RunOrPost([this, peer, sealed] { ReplyStatus(peer, sealed); });
      });
}

}  // namespace vitrine::store::server
