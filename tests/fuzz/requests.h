// Requests of the control protocol with whatever values the input says.
#ifndef VITRINE_TESTS_FUZZ_REQUESTS_H_
#define VITRINE_TESTS_FUZZ_REQUESTS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "schema/protocol.h"
#include "tests/fuzz/input.h"

namespace vitrine::fuzz {

// What a client has learned from the store, and may use or misuse.
struct Knowledge {
  std::vector<uint8_t> token;
  std::deque<uint64_t> numbers;  // The last few objects and blanks.

  void Note(uint64_t number) {
    numbers.push_front(number);
    if (numbers.size() > 8) numbers.pop_back();
  }
};

// Few names, so that requests meet the same objects; or any bytes.
inline std::string TakeId(Input* input) {
  const uint8_t kind = input->Byte();
  if (kind < 0xc0) return std::string(1, static_cast<char>('a' + kind % 8));
  return input->Text(300);
}

inline std::vector<std::string> TakeIds(Input* input) {
  std::vector<std::string> ids(input->Byte() % 16);
  for (std::string& id : ids) id = TakeId(input);
  return ids;
}

inline std::vector<uint8_t> TakeBytes(Input* input, size_t most) {
  const std::string text = input->Text(most);
  // A short input may ask for many bytes.
  std::vector<uint8_t> bytes(text.begin(), text.end());
  if (input->Byte() < 0x20) bytes.resize(input->Wild() % (most + 1));
  return bytes;
}

// No limit only now and then: the store then need not answer.
inline int64_t TakeTimeout(Input* input) {
  const uint8_t kind = input->Byte();
  if (kind < 0xe0) return kind % 2;
  return static_cast<int64_t>(input->Wild() - 1);
}

inline uint32_t TakeMode(Input* input) {
  return input->Byte() < 0xc0 ? 0644 : static_cast<uint32_t>(input->Wild());
}

inline uint64_t TakeNumber(Input* input, const Knowledge& known) {
  const uint8_t kind = input->Byte();
  if (kind < 0xe0 && !known.numbers.empty()) {
    return known.numbers[kind % known.numbers.size()];
  }
  return input->Wild();
}

inline auto TakeMetadata(Input* input) {
  std::vector<std::unique_ptr<protocol::MetadataEntryT>> entries(input->Byte() %
                                                                 4);
  for (auto& entry : entries) {
    entry = std::make_unique<protocol::MetadataEntryT>();
    entry->name = TakeId(input);
    entry->value = TakeBytes(input, 40'000);
  }
  return entries;
}

inline protocol::HelloT TakeHello(Input* input, const Knowledge& known) {
  protocol::HelloT hello;
  const uint8_t kind = input->Byte();
  hello.role = static_cast<protocol::Role>(kind < 0xf0 ? kind % 3 : kind);
  const bool sound = input->Byte() < 0xe0;
  hello.version =
      sound ? kProtocolVersion : static_cast<uint32_t>(input->Wild());
  hello.session = sound ? known.token : TakeBytes(input, 40);
  hello.name = input->Text(300);
  hello.want_existing = input->Flag();
  return hello;
}

inline protocol::CreateT TakeCreate(Input* input) {
  protocol::CreateT create;
  create.id = TakeId(input);
  create.size_bytes = input->Wild();
  create.mode = TakeMode(input);
  create.metadata = TakeMetadata(input);
  create.timeout_ms = TakeTimeout(input);
  return create;
}

inline protocol::PutT TakePut(Input* input) {
  protocol::PutT put;
  put.id = TakeId(input);
  put.data = TakeBytes(input, 120'000);
  put.mode = TakeMode(input);
  put.metadata = TakeMetadata(input);
  put.timeout_ms = TakeTimeout(input);
  return put;
}

inline protocol::WaitT TakeWait(Input* input) {
  protocol::WaitT wait;
  wait.ids = TakeIds(input);
  if (input->Byte() < 8) wait.ids.resize(input->Wild() % 400, "many");
  wait.need = static_cast<uint32_t>(input->Wild());
  wait.timeout_ms = TakeTimeout(input);
  wait.stop_when_gone = input->Flag();
  return wait;
}

inline protocol::SealBlankT TakeSealBlank(Input* input,
                                          const Knowledge& known) {
  protocol::SealBlankT seal;
  seal.number = TakeNumber(input, known);
  seal.id = TakeId(input);
  seal.size_bytes = input->Wild();
  seal.metadata = TakeMetadata(input);
  seal.keep_if_in_use = input->Flag();
  return seal;
}

inline protocol::BlanksT TakeBlanks(Input* input) {
  protocol::BlanksT blanks;
  blanks.size_bytes = input->Byte() < 0xc0 ? 1 << 20 : input->Wild();
  blanks.mode = TakeMode(input);
  blanks.count = static_cast<uint32_t>(input->Wild());
  return blanks;
}

inline protocol::DropBlanksT TakeDropBlanks(Input* input,
                                            const Knowledge& known) {
  protocol::DropBlanksT drop;
  drop.numbers.resize(input->Byte() % 8);
  for (uint64_t& number : drop.numbers) number = TakeNumber(input, known);
  return drop;
}

inline protocol::ListT TakeList(Input* input) {
  protocol::ListT list;
  list.after = input->Wild();
  list.limit = static_cast<uint32_t>(input->Wild());
  list.unsealed = input->Flag();
  return list;
}

// A request that has an id and no more.
template <typename Body>
Body TakeNamed(Input* input) {
  Body body;
  body.id = TakeId(input);
  return body;
}

template <typename Body>
Body TakeNumbered(Input* input, const Knowledge& known) {
  Body body;
  body.number = TakeNumber(input, known);
  return body;
}

// Of the types that have a name or a number and no more.
inline void SetSimpleBody(protocol::RequestBody type, Input* input,
                          const Knowledge& known,
                          protocol::RequestBodyUnion* body) {
  using protocol::RequestBody;
  switch (type) {
    case RequestBody::Seal:
      return body->Set(TakeNumbered<protocol::SealT>(input, known));
    case RequestBody::Abort:
      return body->Set(TakeNumbered<protocol::AbortT>(input, known));
    case RequestBody::Open:
      return body->Set(TakeNamed<protocol::OpenT>(input));
    case RequestBody::Stat:
      return body->Set(TakeNamed<protocol::StatT>(input));
    case RequestBody::GetMetadata:
      return body->Set(TakeNamed<protocol::GetMetadataT>(input));
    case RequestBody::SealByName:
      return body->Set(TakeNamed<protocol::SealByNameT>(input));
    case RequestBody::AbortByName:
      return body->Set(TakeNamed<protocol::AbortByNameT>(input));
    default:
      return body->Set(protocol::OpenRingT());
  }
}

inline void SetBody(protocol::RequestBody type, Input* input,
                    const Knowledge& known, protocol::RequestBodyUnion* body) {
  using protocol::RequestBody;
  switch (type) {
    case RequestBody::Hello:
      return body->Set(TakeHello(input, known));
    case RequestBody::Create:
      return body->Set(TakeCreate(input));
    case RequestBody::Put:
      return body->Set(TakePut(input));
    case RequestBody::Wait:
      return body->Set(TakeWait(input));
    case RequestBody::List:
      return body->Set(TakeList(input));
    case RequestBody::Delete:
      return body->Set(protocol::DeleteT{{}, TakeIds(input)});
    case RequestBody::Evict:
      return body->Set(protocol::EvictT{{}, input->Wild()});
    case RequestBody::SetHold:
      return body->Set(protocol::SetHoldT{{}, TakeId(input), input->Flag()});
    case RequestBody::GetStatus:
      return body->Set(protocol::GetStatusT{{}, input->Flag()});
    case RequestBody::Want:
      return body->Set(protocol::WantT{{}, TakeId(input), TakeTimeout(input)});
    case RequestBody::Blanks:
      return body->Set(TakeBlanks(input));
    case RequestBody::DropBlanks:
      return body->Set(TakeDropBlanks(input, known));
    case RequestBody::SealBlank:
      return body->Set(TakeSealBlank(input, known));
    default:
      return SetSimpleBody(type, input, known, body);
  }
}

inline protocol::RequestT TakeRequest(Input* input, const Knowledge& known) {
  using protocol::RequestBody;
  constexpr auto kTypes = static_cast<uint8_t>(RequestBody::MAX);
  const auto type = static_cast<RequestBody>(1 + input->Byte() % kTypes);
  protocol::RequestT request;
  SetBody(type, input, known, &request.body);
  return request;
}

// As a finished buffer.
template <typename Table>
std::string Pack(const typename Table::NativeTableType& unpacked) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(Table::Pack(builder, &unpacked));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()),
          builder.GetSize()};
}

// True if the store must answer these bytes, or hang up, without waiting for
// anybody.
inline bool MustBeAnswered(const std::string& message) {
  flatbuffers::Verifier verifier(
      reinterpret_cast<const uint8_t*>(message.data()), message.size());
  if (!verifier.VerifyBuffer<protocol::Request>(nullptr)) return true;
  const auto& request = *flatbuffers::GetRoot<protocol::Request>(
      reinterpret_cast<const uint8_t*>(message.data()));
  using protocol::RequestBody;
  switch (request.body_type()) {
    case RequestBody::Create:
      return request.body_as_Create()->timeout_ms() == 0;
    case RequestBody::Put:
      return request.body_as_Put()->timeout_ms() == 0;
    case RequestBody::Wait:
      return request.body_as_Wait()->timeout_ms() == 0;
    case RequestBody::Want:
      return request.body_as_Want()->timeout_ms() == 0;
    default:
      return true;
  }
}

}  // namespace vitrine::fuzz

#endif  // VITRINE_TESTS_FUZZ_REQUESTS_H_
