// A submission ring in the hands of a client that writes what it likes: records
// with any values, any bytes at any place, and any end; while the store reads.
//
// Properties: the reader gives out nothing that lies outside the ring or breaks
// a limit, and tells how many records it answered; the store works afterwards
// and has its memory.
#include <sys/eventfd.h>

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/submission_ring.h"
#include "store/server/ring_reader.h"
#include "store/server/submissions.h"
#include "tests/fuzz/requests.h"
#include "tests/fuzz/store_in_process.h"

namespace vitrine::fuzz {
namespace {

constexpr size_t kMostRead = 64;

// The client's end.
class RingClient {
 public:
  RingClient(int fd, const Knowledge* known)
      : known_(known),
        mapping_(*Mapping::Map(fd, sizeof(SubmissionRing),
                               PROT_READ | PROT_WRITE)) {}

  SubmissionRing& ring() const {
    return *reinterpret_cast<SubmissionRing*>(mapping_.data());
  }

  void TakeStep(Input* input) {
    switch (input->Byte() % 8) {
      case 0:
        return WriteAnywhere(input);
      case 1:
        return AppendBytes(input);
      case 2:
        return AppendFiller(input);
      case 3:
        return Submit(input->Wild());
      case 4:
        return Submit(end_ + input->Byte() - 128);
      case 5:
        return AppendBlank(input);
      default:
        return AppendSmall(input);
    }
  }
  void SubmitAll() { Submit(end_); }

 private:
  void Submit(uint64_t end) { ring().submitted = end; }

  void Put(uint64_t position, const std::string& bytes) {
    const uint64_t place = position % kRingBytes;
    std::memcpy(ring().bytes.data() + place, bytes.data(),
                std::min<uint64_t>(bytes.size(), kRingBytes - place));
  }
  void WriteAnywhere(Input* input) {
    const uint64_t place = input->Take<uint32_t>() % sizeof(SubmissionRing);
    const std::string bytes = input->Text();
    std::memcpy(mapping_.data() + place, bytes.data(),
                std::min(bytes.size(), sizeof(SubmissionRing) - place));
  }
  void AppendBytes(Input* input) {
    const std::string bytes = input->Text(4000);
    Put(end_, bytes);
    end_ += RecordBytes(bytes.size(), 0);
  }
  void AppendFiller(Input* input) {
    RecordHeader header = {};
    header.record_bytes = static_cast<uint32_t>(
        input->Flag() ? kRingBytes - end_ % kRingBytes : input->Wild());
    AppendHeader(header, "");
  }
  void AppendHeader(const RecordHeader& header, const std::string& body) {
    Put(end_, {reinterpret_cast<const char*>(&header), sizeof(header)});
    Put(end_ + sizeof(header), body);
    end_ += header.record_bytes % (kRingBytes + 1);
  }

  // A record whose lengths are right, or one of them is not.
  void Append(Input* input, RecordHeader header, const std::string& data) {
    const std::string id = TakeId(input);
    const std::string metadata = TakePackedMetadata(input);
    header.id_bytes = static_cast<uint16_t>(id.size());
    header.data_bytes = static_cast<uint32_t>(data.size());
    header.metadata_bytes = static_cast<uint16_t>(metadata.size());
    header.record_bytes = static_cast<uint32_t>(
        RecordBytes(id.size(), data.size(), metadata.size()));
    header.timeout_ms = TakeTimeout(input);
    SpoilLength(input, &header);
    AppendHeader(header, id + data + metadata);
  }
  static void SpoilLength(Input* input, RecordHeader* header) {
    switch (input->Byte()) {
      case 1:
        header->id_bytes = input->Take<uint16_t>();
        return;
      case 2:
        header->data_bytes = static_cast<uint32_t>(input->Wild());
        return;
      case 3:
        header->metadata_bytes = input->Take<uint16_t>();
        return;
      case 4:
        header->record_bytes = static_cast<uint32_t>(input->Wild());
        return;
      default:
        return;
    }
  }
  static std::string TakePackedMetadata(Input* input) {
    if (input->Byte() < 0x80) return {};
    protocol::MetadataListT list;
    list.entries = TakeMetadata(input);
    std::string bytes = Pack<protocol::MetadataList>(list);
    if (input->Byte() < 0x20) bytes[input->Byte() % bytes.size()] ^= 1;
    return bytes.substr(0, UINT16_MAX);
  }
  void AppendSmall(Input* input) {
    const auto bytes = TakeBytes(input, 40'000);
    Append(input, {.mode = TakeMode(input)}, {bytes.begin(), bytes.end()});
  }
  void AppendBlank(Input* input) {
    BlankRecord blank = {};
    blank.number = TakeNumber(input, *known_);
    blank.size_bytes = input->Wild();
    blank.flags = input->Byte();
    std::string data(reinterpret_cast<const char*>(&blank), sizeof(blank));
    if (input->Byte() < 8) data.resize(input->Byte());
    Append(input, {.mode = kSealsBlank}, data);
  }

  const Knowledge* const known_;
  Mapping mapping_;
  uint64_t end_ = 0;
};

// --- the reader alone ---

void CheckRecord(const store::RingReader::Record& record) {
  FUZZ_CHECK(record.content ||
             record.content.error().code == Code::kInvalidArgument ||
             record.content.error().code == Code::kTooLarge);
  const Metadata& metadata = store::MetadataOf(record.metadata());
  FUZZ_OK(CheckMetadata(metadata));
  FUZZ_CHECK(RecordMetadataBytes(metadata) <= kMaxRecordMetadataBytes);
  const store::SmallObject* const small = record.small();
  if (small == nullptr) return;
  FUZZ_CHECK((small->mode & ~0777U) == 0 && (small->mode & 0004) != 0);
  ReadEachByte(small->data);
}

// Adds to `answered` how many records were; the ring must tell the same.
void ReadAll(store::RingReader* reader, RingClient* client,
             uint32_t* answered) {
  while (reader->HasMore()) {
    std::vector<store::RingReader::Record> records;
    const Status read = reader->Read(kMostRead, &records);
    FUZZ_CHECK(records.size() <= kMostRead);
    for (const auto& record : records) CheckRecord(record);
    reader->Answer(std::vector<Status>(records.size()));
    *answered += static_cast<uint32_t>(records.size());
    FUZZ_CHECK(client->ring().answered == *answered || records.empty());
    if (!read) {
      FUZZ_CHECK(read.error().code == Code::kCorruption);
      return;
    }
  }
}

void FuzzReader(Input input) {
  auto made = store::RingReader::Make(16'000, {});
  FUZZ_OK(made);
  const Knowledge nothing;
  RingClient client(made->ring.get(), &nothing);
  uint32_t answered = 0;
  while (!input.at_end()) {
    client.TakeStep(&input);
    if (input.Flag()) ReadAll(&made->reader, &client, &answered);
  }
  client.SubmitAll();
  ReadAll(&made->reader, &client, &answered);
}

// --- the ring of a session of a store ---

class StoreWithRings {
 public:
  StoreWithRings() {
    auto started = store::Submissions::Start(store_.get());
    FUZZ_OK(started);
    submissions_ = *std::move(started);
  }

  void Fuzz(Input input) {
    auto ends = submissions_->Open(++session_, {}, {}, [] {});
    FUZZ_OK(ends);
    Knowledge known;
    AddBlanks(&known);
    RingClient client(ends->ring.get(), &known);
    while (!input.at_end()) {
      client.TakeStep(&input);
      if (input.Flag()) ::eventfd_write(ends->bell.get(), 1);
    }
    client.SubmitAll();
    submissions_->Close(session_);
    FUZZ_CHECK(StoreInProcess::Settles(
        [this] { return submissions_->BlanksOf(session_) == nullptr; }));
    store_.ExpectNoHarm();
  }

 private:
  void AddBlanks(Knowledge* known) {
    const auto blanks = submissions_->BlanksOf(session_);
    for (int i = 0; i < 2; ++i) {
      auto blank = store_->blanks().MakeBlank({.size_bytes = 64 << 10});
      if (!blank) continue;
      FUZZ_CHECK(blanks->Add(*blank));
      known->Note(store::NumberOf(**blank));
    }
  }

  StoreInProcess store_;
  std::unique_ptr<store::Submissions> submissions_;
  uint64_t session_ = 0;
};

}  // namespace
}  // namespace vitrine::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static vitrine::fuzz::StoreWithRings store;
  vitrine::fuzz::Input input(data, size);
  // The reader alone is ten times as fast.
  if (input.Byte() < 0xc0) {
    vitrine::fuzz::FuzzReader(input);
  } else {
    store.Fuzz(input);
  }
  return 0;
}
