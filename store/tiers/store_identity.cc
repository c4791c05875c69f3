#include "store/tiers/store_identity.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "store/tiers/small_value.h"

namespace vitrine::store {
namespace {

constexpr std::string_view kName = "identity";
constexpr std::string_view kIdentityMagic = "VITIDEN1";

Result<uint64_t> DrawIdentity() {
  uint64_t identity = 0;
  while (identity == 0) {
    if (::getrandom(&identity, sizeof(identity), 0) != sizeof(identity)) {
      return ErrnoError("getrandom", errno);
    }
  }
  return identity;
}

Result<uint64_t> MakeIdentity(SpillIo* io) {
  const auto identity = DrawIdentity();
  if (!identity) return identity;
  const std::string_view bytes(reinterpret_cast<const char*>(&*identity),
                               sizeof(*identity));
  const std::string value = EncodeSmallValue(kIdentityMagic, bytes);
  if (Status put = io->PutSmall(std::string(kName), value); !put) {
    return put.error();
  }
  return identity;
}

Result<uint64_t> ReadIdentity(SpillIo* io, uint64_t size_bytes) {
  const auto value = io->GetSmall(std::string(kName), size_bytes);
  if (!value) return value.error();
  const auto bytes = DecodeSmallValue(kIdentityMagic, *value);
  uint64_t identity = 0;
  if (!bytes || bytes->size() != sizeof(identity)) {
    return Error{Code::kCorruption,
                 "the value `identity` of the external store is damaged: if it "
                 "is this store's, remove that value"};
  }
  std::memcpy(&identity, bytes->data(), sizeof(identity));
  return identity;
}

}  // namespace

Result<uint64_t> ReadOrDrawIdentity(SpillIo* io) {
  const auto listed = io->ListSmall(kName);
  if (!listed) return listed.error();
  for (const auto& [name, size_bytes] : *listed) {
    if (name == kName) return ReadIdentity(io, size_bytes);
  }
  return MakeIdentity(io);
}

}  // namespace vitrine::store
