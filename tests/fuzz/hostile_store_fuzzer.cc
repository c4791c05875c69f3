// A client library whose store is hostile: its answers, its descriptors and its
// index are what the input says.
//
// Properties: the client gets errors or values that keep the limits, and goes
// on.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "schema/submission_ring.h"
#include "tests/client/fake_store.h"
#include "tests/fuzz/input.h"

namespace vitrine::fuzz {
namespace {

using Answer = FakeStore::Answer;

constexpr std::array<const char*, 3> kIds = {"a", "b", "c"};

ObjectId IdOf(uint8_t number) {
  return *ObjectId::FromText(kIds[number % kIds.size()]);
}

UniqueFd MakeFile(off_t size) {
  UniqueFd fd(::memfd_create("fuzz", MFD_CLOEXEC));
  FUZZ_CHECK(::ftruncate(fd.get(), size) == 0);
  return fd;
}

std::string TakeText(Input* input) {
  const uint8_t kind = input->Byte();
  return kind < 0xc0 ? IdOf(kind).text() : input->Text(300);
}

protocol::ObjectInfoT TakeInfo(Input* input) {
  protocol::ObjectInfoT info;
  info.id = TakeText(input);
  info.number = input->Wild();
  info.sealed = input->Flag();
  info.size_bytes = input->Wild();
  info.tier = input->Text();
  return info;
}

std::vector<std::unique_ptr<protocol::MetadataEntryT>> TakeEntries(
    Input* input) {
  std::vector<std::unique_ptr<protocol::MetadataEntryT>> entries(input->Byte() %
                                                                 4);
  for (auto& entry : entries) {
    entry = std::make_unique<protocol::MetadataEntryT>();
    entry->name = TakeText(input);
    const std::string value = input->Text();
    entry->value.assign(value.begin(), value.end());
  }
  return entries;
}

std::vector<uint64_t> TakeNumbers(Input* input) {
  std::vector<uint64_t> numbers(input->Byte() % 6);
  for (uint64_t& number : numbers) number = input->Wild();
  return numbers;
}

std::vector<uint8_t> TakeCodes(Input* input) {
  const std::string text = input->Text(4);
  return {text.begin(), text.end()};
}

protocol::ListReplyT TakeListReply(Input* input) {
  protocol::ListReplyT reply;
  for (int i = input->Byte() % 4; i > 0; --i) {
    reply.objects.push_back(
        std::make_unique<protocol::ObjectInfoT>(TakeInfo(input)));
  }
  reply.next_after = input->Wild();
  reply.done = input->Byte() < 0xe0;
  return reply;
}

protocol::WaitReplyT TakeWaitReply(Input* input) {
  protocol::WaitReplyT reply;
  for (const uint8_t code : TakeCodes(input)) {
    reply.states.push_back(static_cast<protocol::WaitState>(code));
  }
  return reply;
}

protocol::EventT TakeEvent(Input* input) {
  protocol::EventT event;
  event.kind = static_cast<protocol::EventKind>(input->Byte() % 7);
  event.id = TakeText(input);
  event.size_bytes = input->Wild();
  return event;
}

protocol::StatReplyT TakeStatReply(Input* input) {
  protocol::StatReplyT reply;
  reply.info = std::make_unique<protocol::ObjectInfoT>(TakeInfo(input));
  return reply;
}

protocol::GetMetadataReplyT TakeMetadataReply(Input* input) {
  protocol::GetMetadataReplyT reply;
  reply.metadata = TakeEntries(input);
  return reply;
}

// The answer that fits the question.
protocol::ReplyBody FittingType(protocol::RequestBody type) {
  using protocol::ReplyBody;
  using protocol::RequestBody;
  switch (type) {
    case RequestBody::Create:
      return ReplyBody::CreateReply;
    case RequestBody::Put:
      return ReplyBody::PutReply;
    case RequestBody::Open:
      return ReplyBody::OpenReply;
    case RequestBody::Wait:
      return ReplyBody::WaitReply;
    case RequestBody::Stat:
      return ReplyBody::StatReply;
    case RequestBody::GetMetadata:
      return ReplyBody::GetMetadataReply;
    case RequestBody::List:
      return ReplyBody::ListReply;
    case RequestBody::Delete:
      return ReplyBody::DeleteReply;
    case RequestBody::Evict:
      return ReplyBody::EvictReply;
    case RequestBody::GetStatus:
      return ReplyBody::StatusReply;
    case RequestBody::OpenRing:
      return ReplyBody::OpenRingReply;
    case RequestBody::Blanks:
      return ReplyBody::BlanksReply;
    default:
      return ReplyBody::Done;
  }
}

protocol::ResponseT TakeResponse(Input* input, protocol::ReplyBody type) {
  using protocol::ReplyBody;
  protocol::ResponseT response;
  auto& body = response.body;
  switch (type) {
    case ReplyBody::Failure:
      body.Set(protocol::FailureT{{}, input->Byte(), input->Text()});
      break;
    case ReplyBody::CreateReply:
      body.Set(protocol::CreateReplyT{{}, input->Wild(), input->Flag()});
      break;
    case ReplyBody::PutReply:
      body.Set(protocol::PutReplyT());
      break;
    case ReplyBody::OpenReply:
      body.Set(protocol::OpenReplyT{
          {}, input->Wild(), input->Wild(), input->Wild()});
      break;
    case ReplyBody::WaitReply:
      body.Set(TakeWaitReply(input));
      break;
    case ReplyBody::StatReply:
      body.Set(TakeStatReply(input));
      break;
    case ReplyBody::GetMetadataReply:
      body.Set(TakeMetadataReply(input));
      break;
    case ReplyBody::ListReply:
      body.Set(TakeListReply(input));
      break;
    case ReplyBody::DeleteReply:
      body.Set(protocol::DeleteReplyT{{}, TakeCodes(input)});
      break;
    case ReplyBody::EvictReply:
      body.Set(protocol::EvictReplyT{{}, input->Wild()});
      break;
    case ReplyBody::StatusReply:
      body.Set(protocol::StatusReplyT{{}, input->Text(), false});
      break;
    case ReplyBody::Recall:
      body.Set(protocol::RecallT{{}, TakeNumbers(input), input->Flag()});
      break;
    case ReplyBody::Event:
      body.Set(TakeEvent(input));
      break;
    case ReplyBody::OpenRingReply:
      body.Set(protocol::OpenRingReplyT());
      break;
    case ReplyBody::BlanksReply:
      body.Set(protocol::BlanksReplyT{{}, TakeNumbers(input)});
      break;
    default:
      body.Set(protocol::DoneT());
  }
  return response;
}

// Answers from one input at a time; without one, sensibly.
class HostileStore {
 public:
  HostileStore() {
    for (const off_t size : {off_t{0}, off_t{100}, off_t{1 << 20},
                             static_cast<off_t>(sizeof(SubmissionRing))}) {
      files_.push_back(MakeFile(size));
    }
    files_.emplace_back(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    store_.WriteSegment(7, "hello");
    sound_.resize(IndexFile::kFileBytes);
    for (uint32_t slot = 0; slot < kIds.size(); ++slot) {
      store_.index().Publish(slot, kIds[slot], 7, 5);
    }
    const ssize_t size =
        ::pread(store_.index().fd(), sound_.data(), sound_.size(), 0);
    FUZZ_CHECK(size == static_cast<ssize_t>(sound_.size()));
  }

  void Begin(Input* input) {
    DamageIndex(input);
    store_.small_object_bytes = 64 << 10;
    ring_file_ = MakeFile(sizeof(SubmissionRing));
    ring_ = *Mapping::Map(ring_file_.get(), sizeof(SubmissionRing),
                          PROT_READ | PROT_WRITE);
    store_.SetAnswer([this, input](const protocol::RequestT& request) {
      return TakeAnswer(input, request.body.type);
    });
  }
  void End() {
    store_.SetAnswer([](const auto&) { return Answer{.hang_up = true}; });
  }
  ConnectOptions Options() const { return store_.Options(20); }

 private:
  // In its buckets: a client looks at the header but once.
  void DamageIndex(Input* input) {
    std::string bytes = sound_;
    for (int i = input->Byte() % 4; i > 0; --i) {
      const size_t place =
          IndexFile::kBucketsOffset +
          input->Take<uint16_t>() % (bytes.size() - IndexFile::kBucketsOffset);
      const std::string patch = input->Text(16);
      const size_t size = std::min(patch.size(), bytes.size() - place);
      bytes.replace(place, size, patch, 0, size);
    }
    FUZZ_CHECK(::pwrite(store_.index().fd(), bytes.data(), bytes.size(), 0) ==
               static_cast<ssize_t>(bytes.size()));
    EndChanges();
  }
  // A client waits for seconds where the store seems to be changing something
  // (hostile_store_test.cc: AnObjectStuckBetweenStatesIsATimeout).
  void EndChanges() {
    constexpr uint32_t kAll = IndexFile::kBuckets + IndexFile::kOverflow;
    for (uint32_t number = 0; number < kAll; ++number) {
      IndexBucket& bucket = store_.index().bucket(number);
      bucket.version &= ~1U;
      for (auto& word : bucket.words) {
        const SlotState state = SlotStateOf(word);
        if (state == SlotState::kEvicting || state > SlotState::kElsewhere) {
          word = MakeSlotWord(SlotGeneration(word), SlotState::kSealed);
        }
      }
    }
  }

  Answer TakeAnswer(Input* input, protocol::RequestBody question) {
    // Else a client that is told again and again to look again does so for
    // seconds.
    if (input->at_end()) return {.hang_up = true};
    Answer answer;
    const uint8_t kind = input->Byte();
    if (kind == 0xff) return {.garbage = true};
    if (kind == 0xfe) return {.hang_up = true};
    constexpr auto kTypes = static_cast<uint8_t>(protocol::ReplyBody::MAX);
    const auto type = kind < 0xc0
                          ? FittingType(question)
                          : static_cast<protocol::ReplyBody>(1 + kind % kTypes);
    answer.response = TakeResponse(input, type);
    if (type == protocol::ReplyBody::OpenRingReply) {
      answer.fds = {ring_file_.get(), files_.back().get()};
      return answer;
    }
    if (input->Byte() < 0x40) AnswerRecords(input);
    for (int i = input->Byte() % 4; i > 0; --i) {
      answer.fds.push_back(files_[input->Byte() % files_.size()].get());
    }
    return answer;
  }

  // What the ring seems to say of the client's records.
  void AnswerRecords(Input* input) {
    auto& ring = *reinterpret_cast<SubmissionRing*>(ring_.data());
    for (auto& result : {&ring.results[0], &ring.results[1]}) {
      *result = static_cast<uint32_t>(input->Wild());
    }
    ring.answered = static_cast<uint32_t>(input->Wild());
  }

  FakeStore store_;
  std::string sound_;
  std::vector<UniqueFd> files_;  // The last is an eventfd.
  UniqueFd ring_file_;
  Mapping ring_;
};

class Calls {
 public:
  explicit Calls(vitrine::Client client) : client_(std::move(client)) {}

  void Make(uint8_t number) {
    const ObjectId id = IdOf(number);
    switch (number / 4 % 14) {
      case 0:
        return CheckObject(client_.Get(id));
      case 1:
        return CheckMany();
      case 2:
        (void)client_.Contains(id);
        return;
      case 3:
        (void)client_.Stat(id);
        return;
      case 4:
        return CheckMetadataOf(client_.GetMetadata(id));
      case 5:
        (void)client_.List();
        return;
      case 6:
        (void)client_.Delete(id);
        return;
      case 7:
        (void)client_.Evict(5);
        return;
      case 8:
        (void)client_.Hold(id);
        return;
      case 9:
        (void)client_.GetStatus();
        return;
      case 10:
        return Write(id, 300'000);
      case 11:
        return PutLater(id, 100);
      case 12:
        return PutLater(id, 300'000);
      default:
        (void)client_.Flush(Timeout(1));
    }
  }

 private:
  static void CheckObject(const Result<Object>& object) {
    if (!object) return;
    ReadEachByte(object->bytes());
    CheckMetadataOf(object->GetMetadata());
  }
  static void CheckMetadataOf(const Result<Metadata>& metadata) {
    if (metadata) FUZZ_OK(CheckMetadata(*metadata));
  }
  void CheckMany() {
    const std::vector<ObjectId> ids = {IdOf(0), IdOf(1), IdOf(2)};
    const auto objects = client_.GetMany(ids, {.timeout = Timeout(2)});
    FUZZ_CHECK(!objects || objects->size() == ids.size());
  }
  void Write(const ObjectId& id, uint64_t size_bytes) {
    auto writer = client_.Create(id, size_bytes, {.timeout = Timeout(2)});
    if (!writer) return;
    FUZZ_CHECK(writer->bytes().size() == size_bytes);
    for (std::byte& byte : writer->bytes()) byte = std::byte{1};
    (void)writer->SealLater();
  }
  // A put that waits for its answer in the ring does so for as long as the
  // session lives.
  void PutLater(const ObjectId& id, size_t size_bytes) {
    const std::vector<std::byte> bytes(size_bytes);
    (void)client_.PutLater(id, bytes, {.timeout = Timeout(2)});
  }

  vitrine::Client client_;
};

}  // namespace
}  // namespace vitrine::fuzz

// The first eight bytes are the calls; the rest are the answers.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vitrine::fuzz;  // NOLINT: the names above.
  static HostileStore store;
  const size_t calls = std::min<size_t>(size, 8);
  Input input(data + calls, size - calls);
  store.Begin(&input);
  if (auto client = vitrine::Client::Connect(store.Options()); client) {
    Calls made(*std::move(client));
    for (size_t i = 0; i < calls; ++i) made.Make(data[i]);
  }
  store.End();
  return 0;
}
