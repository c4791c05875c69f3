#include "store/tiers/deletion_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "store/tiers/sequence_name.h"
#include "store/tiers/small_value.h"

namespace vitrine::store {
namespace {

constexpr std::string_view kPrefix = "deleted-";
constexpr std::string_view kMagic = "VITGONE1";

std::string Pack(std::span<const uint64_t> numbers) {
  const auto bytes = std::as_bytes(numbers);
  return EncodeSmallValue(
      kMagic, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Status UnpackInto(std::string_view value,
                  std::unordered_set<uint64_t>* numbers) {
  const auto payload = DecodeSmallValue(kMagic, value);
  if (!payload) return payload.error();
  if (payload->size() % sizeof(uint64_t) != 0) {
    return Error{Code::kCorruption, "half a number"};
  }
  for (size_t at = 0; at < payload->size(); at += sizeof(uint64_t)) {
    uint64_t number = 0;
    std::memcpy(&number, payload->data() + at, sizeof(number));
    numbers->insert(number);
  }
  return Status();
}

}  // namespace

Result<std::unordered_set<uint64_t>> DeletionLog::Load() {
  auto listed = io_->ListSmall(kPrefix);
  if (!listed) return listed.error();
  std::unordered_set<uint64_t> numbers;
  for (const auto& [name, size_bytes] : *listed) {
    const auto sequence = ParseSequenceName(kPrefix, name);
    if (!sequence) continue;
    last_sequence_ = std::max(last_sequence_, *sequence);
    const auto value = io_->GetSmall(name, size_bytes);
    const Status read =
        value ? UnpackInto(*value, &numbers) : Status(value.error());
    if (read) {
      logs_.push_back(name);
    } else if (read.error().code == Code::kCorruption) {
      spdlog::error("spill: {}: {}: what it says is deleted may be back", name,
                    read.error().ToString());
    } else {
      return read.error();
    }
  }
  return numbers;
}

Status DeletionLog::Append(std::span<const uint64_t> numbers) {
  const std::string name = SequenceName(kPrefix, last_sequence_ + 1);
  if (Status put = io_->PutSmall(name, Pack(numbers)); !put) return put;
  ++last_sequence_;
  logs_.push_back(name);
  return Status();
}

Status DeletionLog::Rewrite(std::span<const uint64_t> all) {
  std::vector<std::string> former = logs_;
  if (!all.empty()) {
    if (Status put = Append(all); !put) return put;
  }
  if (Status deleted = io_->DeleteSmall(former); !deleted) return deleted;
  logs_.erase(logs_.begin(),
              logs_.begin() + static_cast<ptrdiff_t>(former.size()));
  return Status();
}

}  // namespace vitrine::store
