// Ids, sizes, durations, modes and metadata, as people and clients write them.
//
// Properties: what is accepted keeps the limits, and means the same when it is
// written and read again; what is shown is safe to show.
#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "client/tools/json_text.h"
#include "client/tools/text.h"
#include "schema/base/size.h"
#include "schema/index_layout.h"
#include "schema/submission_ring.h"
#include "store/server/server_metadata.h"
#include "tests/fuzz/requests.h"

namespace vitrine::fuzz {
namespace {

void FuzzId(const std::string& text) {
  const auto id = ObjectId::FromText(text);
  const bool is_name = !text.empty() && text.size() <= ObjectId::kMaxBytes &&
                       text != "." && text != ".." &&
                       text.find('/') == std::string::npos &&
                       text.find('\0') == std::string::npos;
  FUZZ_CHECK(id.has_value() == is_name);
  if (!id) return;
  FUZZ_CHECK(id->text() == text);
  FUZZ_CHECK(*ObjectId::FromText(id->text()) == *id);
  for (uint32_t buckets = 1; buckets < 20; ++buckets) {
    FUZZ_CHECK(IndexBucketOf(MakeIndexKey(text, 7), buckets) < buckets);
  }
}

void FuzzBinaryId(Input* input) {
  std::array<std::byte, ObjectId::kBinaryBytes> bytes = {};
  for (std::byte& byte : bytes) byte = std::byte{input->Byte()};
  const ObjectId id = ObjectId::FromBinary(bytes);
  FUZZ_CHECK(id.text().size() == 2 * bytes.size());
  FUZZ_CHECK(*ObjectId::FromText(id.text()) == id);
  const std::string raw(reinterpret_cast<const char*>(bytes.data()),
                        bytes.size());
  FUZZ_CHECK(tools::Hex(raw) == id.text());
}

void FuzzSize(const std::string& text) {
  const auto size = ParseSize(text);
  if (!size) {
    FUZZ_CHECK(size.error().code == Code::kInvalidArgument);
    return;
  }
  FUZZ_CHECK(*ParseSize(std::to_string(*size)) == *size);
  FUZZ_CHECK(*ParseSize(" " + text + " ") == *size);
  // As it is shown, it is about the same.
  const auto shown = ParseSize(FormatSize(*size));
  if (!shown) {  // 16.0 EiB is 2^64.
    FUZZ_CHECK(*size > UINT64_MAX - (uint64_t{1} << 60));
    return;
  }
  const uint64_t off = std::max(*shown, *size) - std::min(*shown, *size);
  FUZZ_CHECK(off <= *size / 16);
}

void FuzzTexts(const std::string& text) {
  const std::string shown = tools::Printable(text);
  FUZZ_CHECK(tools::IsUtf8(shown));
  FUZZ_CHECK(std::none_of(shown.begin(), shown.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  }));
  if (const auto timeout = tools::ParseTimeout(text); timeout) {
    FUZZ_CHECK(*timeout >= kPoll);
  }
  if (const auto mode = tools::ParseMode(text); mode) {
    FUZZ_CHECK(tools::FormatMode(*mode).size() == 10);
  }
  if (const auto object = tools::ParseObject(text); object) {
    FUZZ_CHECK(*tools::ParseObject(tools::Dump(*object)) == *object);
  }
  const std::string json = tools::Dump(tools::MetadataToJson({{text, text}}));
  FUZZ_CHECK(nlohmann::json::accept(json));
}

void FuzzTimes(Input* input) {
  const auto time = static_cast<int64_t>(input->Wild());
  FUZZ_CHECK(!tools::FormatTime(time).empty());
  constexpr int64_t kNow = int64_t{1} << 60;
  FUZZ_CHECK(!tools::FormatTimeShort(time, kNow).empty());
  FUZZ_CHECK(!tools::FormatBytes(input->Wild()).empty());
  uint64_t bits = input->Take<uint64_t>();
  double seconds = 0;
  std::memcpy(&seconds, &bits, sizeof(seconds));
  FUZZ_CHECK(!tools::FormatSeconds(seconds).empty());
}

// As a client does it.
std::string PackedMetadata(const Metadata& metadata) {
  protocol::MetadataListT list;
  for (const auto& [name, value] : metadata) {
    auto entry = std::make_unique<protocol::MetadataEntryT>();
    entry->name = name;
    entry->value.assign(value.begin(), value.end());
    list.entries.push_back(std::move(entry));
  }
  return Pack<protocol::MetadataList>(list);
}

Result<Metadata> ReadPacked(const std::string& bytes) {
  return store::server::ReadMetadataList({bytes.begin(), bytes.end()});
}

void FuzzMetadata(Input* input) {
  Metadata metadata;
  while (!input->at_end()) {
    std::string name = input->Text(300);
    metadata.emplace(std::move(name), input->Text(40'000));
  }
  const bool sound = CheckMetadata(metadata).has_value();
  const std::string packed = PackedMetadata(metadata);
  FUZZ_CHECK(metadata.empty() ||
             packed.size() <= RecordMetadataBytes(metadata));
  const auto read = ReadPacked(packed);
  FUZZ_CHECK(read.has_value() == sound);
  if (read) FUZZ_CHECK(*read == metadata);
}

void FuzzPackedMetadata(const std::string& bytes) {
  const auto read = ReadPacked(bytes);
  if (!read) {
    FUZZ_CHECK(read.error().code == Code::kInvalidArgument);
    return;
  }
  FUZZ_OK(CheckMetadata(*read));
}

}  // namespace
}  // namespace vitrine::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vitrine::fuzz;  // NOLINT: the names above.
  Input input(data, size);
  switch (input.Byte() % 7) {
    case 0:
      FuzzId(input.Rest());
      break;
    case 1:
      FuzzBinaryId(&input);
      break;
    case 2:
      FuzzSize(input.Rest());
      break;
    case 3:
      FuzzTexts(input.Rest());
      break;
    case 4:
      FuzzTimes(&input);
      break;
    case 5:
      FuzzMetadata(&input);
      break;
    default:
      FuzzPackedMetadata(input.Rest());
  }
  return 0;
}
