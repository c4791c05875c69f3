#include "store/server/server_messages.h"

#include <utility>

namespace vitrine::store::server {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

constexpr size_t kMaxFailureText = 4096;
// What the message around the JSON text takes, generously.
constexpr size_t kStatusPartBytes = kMaxMessageBytes - 1024;

template <typename T>
Message Finish(FlatBufferBuilder* builder, Offset<T> body) {
  builder->Finish(protocol::CreateResponse(
      *builder, protocol::ReplyBodyTraits<T>::enum_value, body.Union()));
  return std::make_shared<const flatbuffers::DetachedBuffer>(
      builder->Release());
}

Offset<protocol::ObjectInfo> AddInfo(FlatBufferBuilder* builder,
                                     const ObjectInfo& info, bool in_use) {
  const auto id = builder->CreateString(info.id.text());
  const auto tier = builder->CreateSharedString(TierName(info));
  protocol::ObjectInfoBuilder object(*builder);
  object.add_id(id);
  object.add_number(info.number);
  object.add_sealed(info.state == ObjectState::kSealed);
  object.add_size_bytes(info.size_bytes);
  object.add_mode(info.mode);
  object.add_uid(info.uid);
  object.add_gid(info.gid);
  object.add_creator_pid(info.creator_pid);
  object.add_created_ns(info.created_ns);
  object.add_sealed_ns(info.sealed_ns);
  object.add_use_count(info.use_count);
  object.add_hold(info.hold);
  object.add_in_use(in_use);
  object.add_tier(tier);
  return object.Finish();
}

Offset<flatbuffers::Vector<uint8_t>> AddBytes(FlatBufferBuilder* builder,
                                              const std::string& bytes) {
  return builder->CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()),
                               bytes.size());
}

Offset<protocol::Account> AddAccount(FlatBufferBuilder* builder,
                                     const Accounts::Account& account,
                                     bool each) {
  const auto used =
      builder->CreateVector(account.used.data(), account.used.size());
  const auto limits =
      builder->CreateVector(account.limits.data(), account.limits.size());
  return protocol::CreateAccount(*builder,
                                 account.party.kind == Party::Kind::kGroup,
                                 each, account.party.id, used, limits);
}

Message StatusMessage(std::string_view part, bool more) {
  FlatBufferBuilder builder;
  const auto text = builder.CreateString(part);
  return Finish(&builder, protocol::CreateStatusReply(builder, text, more));
}

}  // namespace

Message FailureMessage(const Error& error) {
  FlatBufferBuilder builder;
  const auto text =
      builder.CreateString(error.message.substr(0, kMaxFailureText));
  return Finish(&builder, protocol::CreateFailure(
                              builder, static_cast<uint8_t>(error.code), text));
}

Message DoneMessage() {
  FlatBufferBuilder builder;
  return Finish(&builder, protocol::CreateDone(builder));
}

Message HelloMessage(const Greeting& greeting) {
  FlatBufferBuilder builder;
  const auto token = AddBytes(&builder, greeting.token);
  const auto memory_dir = builder.CreateString(greeting.memory_dir);
  const auto state_dir = builder.CreateString(greeting.state_dir);
  return Finish(&builder, protocol::CreateHelloReply(
                              builder, kProtocolVersion, token, memory_dir,
                              greeting.page_bytes, state_dir,
                              greeting.small_object_bytes));
}

Message CreateMessage(uint64_t number, bool recycled) {
  FlatBufferBuilder builder;
  return Finish(&builder,
                protocol::CreateCreateReply(builder, number, recycled));
}

Message PutMessage() {
  FlatBufferBuilder builder;
  return Finish(&builder, protocol::CreatePutReply(builder));
}

Message OpenRingMessage() {
  FlatBufferBuilder builder;
  return Finish(&builder, protocol::CreateOpenRingReply(builder));
}

Message BlanksMessage(const std::vector<uint64_t>& numbers) {
  FlatBufferBuilder builder;
  const auto vector = builder.CreateVector(numbers);
  return Finish(&builder, protocol::CreateBlanksReply(builder, vector));
}

Message OpenMessage(const ObjectInfo& info) {
  FlatBufferBuilder builder;
  return Finish(&builder,
                protocol::CreateOpenReply(builder, info.segment(),
                                          info.size_bytes, info.offset_bytes));
}

Message WaitMessage(const std::vector<protocol::WaitState>& states) {
  FlatBufferBuilder builder;
  const auto vector = builder.CreateVector(states);
  return Finish(&builder, protocol::CreateWaitReply(builder, vector));
}

Message StatMessage(const ObjectInfo& info, bool in_use) {
  FlatBufferBuilder builder;
  const auto object = AddInfo(&builder, info, in_use);
  return Finish(&builder, protocol::CreateStatReply(builder, object));
}

Message MetadataMessage(const Metadata& metadata) {
  FlatBufferBuilder builder;
  std::vector<Offset<protocol::MetadataEntry>> entries;
  for (const auto& [name, value] : metadata) {
    const auto name_offset = builder.CreateString(name);
    const auto value_offset = AddBytes(&builder, value);
    entries.push_back(
        protocol::CreateMetadataEntry(builder, name_offset, value_offset));
  }
  const auto vector = builder.CreateVector(entries);
  return Finish(&builder, protocol::CreateGetMetadataReply(builder, vector));
}

Message ListMessage(const std::vector<ListedObject>& listed,
                    uint64_t next_after, bool done) {
  FlatBufferBuilder builder;
  std::vector<Offset<protocol::ObjectInfo>> objects;
  objects.reserve(listed.size());
  for (const ListedObject& object : listed) {
    objects.push_back(AddInfo(&builder, object.info, object.in_use));
  }
  const auto vector = builder.CreateVector(objects);
  return Finish(&builder,
                protocol::CreateListReply(builder, vector, next_after, done));
}

Message DeleteMessage(const std::vector<uint8_t>& codes) {
  FlatBufferBuilder builder;
  const auto vector = builder.CreateVector(codes);
  return Finish(&builder, protocol::CreateDeleteReply(builder, vector));
}

Message EvictMessage(uint64_t bytes) {
  FlatBufferBuilder builder;
  return Finish(&builder, protocol::CreateEvictReply(builder, bytes));
}

std::vector<Message> StatusMessages(std::string_view json, bool in_parts) {
  const size_t part_bytes = in_parts ? kStatusPartBytes : json.size();
  std::vector<Message> messages;
  do {
    const std::string_view part = json.substr(0, part_bytes);
    json.remove_prefix(part.size());
    messages.push_back(StatusMessage(part, /*more=*/!json.empty()));
  } while (!json.empty());
  return messages;
}

Message AccountsMessage(const AccountsPage& page) {
  FlatBufferBuilder builder;
  std::vector<Offset<flatbuffers::String>> resources;
  for (const char* name : kResourceNames) {
    resources.push_back(builder.CreateString(name));
  }
  std::vector<Offset<protocol::Account>> accounts;
  for (const Accounts::Account& account : page.of_each) {
    accounts.push_back(AddAccount(&builder, account, /*each=*/true));
  }
  for (const Accounts::Account& account : page.accounts) {
    accounts.push_back(AddAccount(&builder, account, /*each=*/false));
  }
  const auto names = builder.CreateVector(resources);
  const auto vector = builder.CreateVector(accounts);
  return Finish(&builder, protocol::CreateAccountsReply(builder, names, vector,
                                                        page.next));
}

Message RecallMessage(std::span<const uint64_t> segments) {
  FlatBufferBuilder builder;
  const auto vector = builder.CreateVector(segments.data(), segments.size());
  return Finish(&builder, protocol::CreateRecall(builder, vector));
}

Message RecallBlanksMessage() {
  FlatBufferBuilder builder;
  return Finish(&builder, protocol::CreateRecall(builder, 0, /*blanks=*/true));
}

Message EventMessage(protocol::EventKind kind, const ObjectInfo& info,
                     int64_t time_ns) {
  FlatBufferBuilder builder;
  const auto id = builder.CreateString(info.id.text());
  return Finish(&builder,
                protocol::CreateEvent(builder, kind, id, info.size_bytes,
                                      info.number, time_ns));
}

Message BareEventMessage(protocol::EventKind kind) {
  FlatBufferBuilder builder;
  return Finish(&builder, protocol::CreateEvent(builder, kind));
}

}  // namespace vitrine::store::server
