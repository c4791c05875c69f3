#include "client/calls/messages.h"

#include <string>
#include <utility>

namespace vitrine {
namespace {

Error BadMessage(const char* what) {
  return Error{Code::kCorruption, std::string("the store sent ") + what};
}

using Names = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;

Result<Account> UnpackAccount(const protocol::Account& account,
                              const Names& resources) {
  if (account.used() == nullptr || account.limits() == nullptr ||
      account.used()->size() != resources.size() ||
      account.limits()->size() != resources.size()) {
    return BadMessage("an account without amounts");
  }
  Account result{.kind = account.group() ? Account::Kind::kGroup
                                         : Account::Kind::kUser};
  if (!account.each()) result.id = account.id();
  for (flatbuffers::uoffset_t i = 0; i < resources.size(); ++i) {
    Account::Amount amount{.resource = resources.Get(i)->str(),
                           .used = account.used()->Get(i)};
    const uint64_t limit = account.limits()->Get(i);
    if (limit != UINT64_MAX) amount.limit = limit;
    result.amounts.push_back(std::move(amount));
  }
  return result;
}

// Appends to `accounts`.
Status UnpackAccounts(const protocol::AccountsReply& reply,
                      std::vector<Account>* accounts) {
  if (reply.accounts() == nullptr || reply.resources() == nullptr) {
    return BadMessage("no accounts");
  }
  for (const protocol::Account* account : *reply.accounts()) {
    auto unpacked = UnpackAccount(*account, *reply.resources());
    if (!unpacked) return unpacked.error();
    accounts->push_back(*std::move(unpacked));
  }
  return {};
}

}  // namespace

std::vector<std::unique_ptr<protocol::MetadataEntryT>> PackMetadata(
    const Metadata& metadata) {
  std::vector<std::unique_ptr<protocol::MetadataEntryT>> entries;
  entries.reserve(metadata.size());
  for (const auto& [name, value] : metadata) {
    auto entry = std::make_unique<protocol::MetadataEntryT>();
    entry->name = name;
    entry->value.assign(value.begin(), value.end());
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<uint8_t> PackMetadataList(const Metadata& metadata) {
  if (metadata.empty()) return {};
  protocol::MetadataListT list;
  list.entries = PackMetadata(metadata);
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(protocol::MetadataList::Pack(builder, &list));
  const auto bytes = builder.GetBufferSpan();
  return {bytes.begin(), bytes.end()};
}

Result<Metadata> UnpackMetadata(const protocol::GetMetadataReply& reply) {
  Metadata metadata;
  if (reply.metadata() == nullptr) return metadata;
  for (const protocol::MetadataEntry* entry : *reply.metadata()) {
    const auto* value = entry->value();
    metadata.emplace(entry->name()->str(),
                     value != nullptr
                         ? std::string(value->begin(), value->end())
                         : std::string());
  }
  return metadata;
}

Result<ObjectStat> UnpackStat(const protocol::ObjectInfo& info) {
  auto id = ObjectId::FromText(info.id()->string_view());
  if (!id) return BadMessage("an id that is none");
  return ObjectStat{
      .id = std::move(*id),
      .sealed = info.sealed(),
      .size_bytes = info.size_bytes(),
      .mode = info.mode(),
      .uid = info.uid(),
      .gid = info.gid(),
      .creator_pid = info.creator_pid(),
      .created_ns = info.created_ns(),
      .sealed_ns = info.sealed_ns(),
      .use_count = info.use_count(),
      .hold = info.hold(),
      .in_use = info.in_use(),
      .tier = info.tier() != nullptr ? info.tier()->str() : std::string(),
  };
}

Result<Event> UnpackEvent(const protocol::Event& event) {
  Event result{EventKind::kSealed, {}, event.size_bytes(), event.time_ns()};
  const bool has_id = event.kind() != protocol::EventKind::kOverflow &&
                      event.kind() != protocol::EventKind::kExistingDone;
  if (has_id) {
    if (event.id() == nullptr) return BadMessage("an event without an id");
    auto id = ObjectId::FromText(event.id()->string_view());
    if (!id) return BadMessage("an id that is none");
    result.id = *std::move(id);
  }
  switch (event.kind()) {
    case protocol::EventKind::kSealed:
      result.kind = EventKind::kSealed;
      return result;
    case protocol::EventKind::kEvicted:
      result.kind = EventKind::kEvicted;
      return result;
    case protocol::EventKind::kDeleted:
      result.kind = EventKind::kDeleted;
      return result;
    case protocol::EventKind::kOverflow:
      result.kind = EventKind::kOverflow;
      return result;
    case protocol::EventKind::kExistingDone:
      result.kind = EventKind::kExistingDone;
      return result;
  }
  return BadMessage("an event of an unknown kind");
}

Result<Metadata> AskForMetadata(CallPool& calls, const std::string& id) {
  auto answer =
      calls.Ask<protocol::GetMetadataReply>(protocol::GetMetadataT{{}, id});
  if (!answer) return answer.error();
  return UnpackMetadata(*answer->table);
}

Result<std::vector<Account>> AskForAccounts(CallPool& calls) {
  std::vector<Account> accounts;
  uint64_t from = 0;
  do {
    auto answer =
        calls.Ask<protocol::AccountsReply>(protocol::GetAccountsT{{}, from});
    if (!answer) return answer.error();
    if (Status ok = UnpackAccounts(*answer->table, &accounts); !ok) {
      return ok.error();
    }
    const uint64_t next = (*answer)->next();
    if (next != 0 && next <= from) return BadMessage("accounts in a circle");
    from = next;
  } while (from != 0);
  return accounts;
}

Result<std::string> AskForStatus(CallPool& calls) {
  // Of some hundred thousand clients.
  constexpr size_t kLongestBytes = 64 << 20;
  protocol::GetStatusT request;
  request.in_parts = true;
  auto answer = calls.Ask<protocol::StatusReply>(request);
  if (!answer) return answer.error();
  std::string text;
  for (;;) {
    const auto part = (*answer)->json()->string_view();
    text += part;
    if (!(*answer)->more()) return text;
    if (part.empty() || text.size() > kLongestBytes) {
      answer->connection->MarkBroken();
      return BadMessage("a status without an end");
    }
    if (Status next = calls.Next(&*answer); !next) return next.error();
  }
}

}  // namespace vitrine
