// The head of a value in an external store, with any bytes, any fields under a
// checksum that fits, and with damage in a sound one.
//
// Properties: what is accepted lies within its value, each object once and none
// over another; what was written is read as it was; damage is never accepted.
#include <string>
#include <unordered_set>
#include <vector>

#include "store/tiers/spill_format.h"
#include "tests/fuzz/input.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitrine::fuzz {
namespace {

using store::SpillHead;

// As the one who reads values does it.
Result<SpillHead> Decode(std::string_view head, uint64_t value_bytes) {
  const auto size = store::ReadSpillHeadSize(head);
  if (!size) return size.error();
  if (*size > head.size()) return Error{Code::kCorruption, "cut"};
  return store::DecodeSpillHead(head.substr(0, *size), value_bytes);
}

void CheckConsistent(const SpillHead& head, uint64_t head_bytes) {
  std::unordered_set<uint64_t> numbers;
  uint64_t end_bytes = head_bytes;
  FUZZ_CHECK(!head.objects.empty());
  for (const store::SpilledObject& spilled : head.objects) {
    const store::ObjectInfo& info = spilled.object.info;
    FUZZ_CHECK(numbers.insert(info.number).second);
    FUZZ_CHECK(info.state == store::ObjectState::kSealed);
    FUZZ_CHECK(spilled.offset_bytes >= end_bytes);
    FUZZ_CHECK(info.size_bytes <= head.value_bytes);
    FUZZ_CHECK(spilled.offset_bytes <= head.value_bytes - info.size_bytes);
    FUZZ_OK(ObjectId::FromText(info.id.text()));
    FUZZ_OK(CheckMetadata(store::MetadataOf(spilled.object.metadata)));
    end_bytes = spilled.offset_bytes + info.size_bytes;
  }
  FUZZ_CHECK(end_bytes == head.value_bytes);
}

void Accept(std::string_view head, uint64_t value_bytes) {
  const auto decoded = Decode(head, value_bytes);
  if (decoded) CheckConsistent(*decoded, *store::ReadSpillHeadSize(head));
}

// A sound value of what the input says.
std::string MakeValue(Input* input) {
  std::vector<std::string> bytes(1 + input->Byte() % 4);
  std::vector<store::Tier::Load> loads;
  for (std::string& each : bytes) {
    each.assign(input->Byte() < 0x10 ? 1100000 + input->Byte() : input->Byte(),
                static_cast<char>(input->Byte()));
    store::ObjectInfo info{.number = loads.size() + 1,
                           .id = *ObjectId::FromText("an id"),
                           .state = store::ObjectState::kSealed,
                           .size_bytes = each.size(),
                           .mode = 0644};
    if (input->Flag()) info.slab = 5;
    Metadata metadata;
    if (input->Flag()) metadata["name"] = input->Text();
    loads.push_back(
        {info, store::ShareMetadata(metadata), std::as_bytes(std::span(each))});
  }
  const auto value = store::SpillValue::Make(input->Byte(), loads);
  FUZZ_OK(value);
  std::string whole;
  for (const auto& part : value->Parts()) {
    whole.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return whole;
}

std::string HeadOf(const std::string& value) {
  const auto size = store::ReadSpillHeadSize(value);
  FUZZ_OK(size);
  return value.substr(0, *size);
}

void FuzzSound(Input* input) {
  const std::string value = MakeValue(input);
  const std::string head = HeadOf(value);
  FUZZ_OK(Decode(head, value.size()));
  Accept(head, value.size());
  std::string damaged = head;
  Damage(input, &damaged);
  FUZZ_CHECK(damaged == head || !Decode(damaged, value.size()));
}

// Gives the head the size and the checksum that it should have.
void MakeFit(std::string* head) {
  constexpr size_t kHashPlace = 40;
  const uint64_t size = head->size();
  std::memcpy(head->data() + 16, &size, sizeof(size));
  std::memset(head->data() + kHashPlace, 0, 16);
  const XXH128_hash_t hash = XXH3_128bits(head->data(), head->size());
  std::memcpy(head->data() + kHashPlace, &hash.low64, 8);
  std::memcpy(head->data() + kHashPlace + 8, &hash.high64, 8);
}

// Fields of any value under a checksum that fits.
void FuzzFields(Input* input) {
  std::string head = HeadOf(MakeValue(input));
  uint64_t value_bytes = 0;
  std::memcpy(&value_bytes, head.data() + 24, sizeof(value_bytes));
  if (input->Flag()) value_bytes = input->Wild();
  std::memcpy(head.data() + 24, &value_bytes, sizeof(value_bytes));
  const uint8_t patches = input->Byte() % 4;
  for (uint8_t i = 0; i < patches; ++i) {
    const uint64_t wild = input->Wild();
    const size_t place = 24 + input->Take<uint16_t>() % (head.size() - 31);
    std::memcpy(head.data() + place, &wild, sizeof(wild));
  }
  Damage(input, &head);
  MakeFit(&head);
  Accept(head, value_bytes);
}

}  // namespace
}  // namespace vitrine::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vitrine::fuzz;  // NOLINT: the names above.
  Input input(data, size);
  switch (input.Byte() % 3) {
    case 0: {
      const uint64_t value_bytes = input.Wild();
      Accept(input.Rest(), value_bytes);
      break;
    }
    case 1:
      FuzzSound(&input);
      break;
    default:
      FuzzFields(&input);
  }
  return 0;
}
