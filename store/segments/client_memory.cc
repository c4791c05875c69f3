#include "store/segments/client_memory.h"

#include <algorithm>
#include <string>
#include <utility>

namespace vitrine::store {
namespace {

// Of the capacity.
constexpr uint64_t kPart = 4;
// Enough for a hundred clients of a small store.
constexpr uint64_t kLeastBytes = uint64_t{16} << 20;

}  // namespace

ClientMemory::ClientMemory(MemoryBudget* budget, Accounts* accounts)
    : budget_(budget),
      accounts_(accounts),
      most_bytes_(std::max(budget->capacity_bytes() / kPart, kLeastBytes)) {}

Result<std::shared_ptr<const void>> ClientMemory::Take(const Payer& payer,
                                                       uint64_t bytes,
                                                       ClientMemoryNeed need) {
  if (Status ok = Add(bytes); !ok) return ok.error();
  if (Status ok = accounts_->Charge(payer, Resource::kMemory, bytes); !ok) {
    Subtract(bytes);
    return ok.error();
  }
  if (!ChargeBudget(bytes, need)) {
    accounts_->Release(payer, Resource::kMemory, bytes);
    Subtract(bytes);
    return Error{Code::kOutOfMemory,
                 "the store has no " + std::to_string(bytes) +
                     " bytes to share with a client without an eviction"};
  }
  return std::shared_ptr<const void>(
      static_cast<const void*>(this), [this, payer, bytes](const void*) {
        budget_->Uncharge(bytes);
        accounts_->Release(payer, Resource::kMemory, bytes);
        Subtract(bytes);
      });
}

uint64_t ClientMemory::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

Status ClientMemory::Add(uint64_t bytes) {
  MutexLock lock(mutex_);
  if (bytes_ > most_bytes_ || bytes > most_bytes_ - bytes_) {
    return Error{Code::kTooMany, "the store shares " + std::to_string(bytes_) +
                                     " bytes with its clients, and may share " +
                                     std::to_string(most_bytes_)};
  }
  bytes_ += bytes;
  return {};
}

void ClientMemory::Subtract(uint64_t bytes) {
  MutexLock lock(mutex_);
  bytes_ -= bytes;
}

bool ClientMemory::ChargeBudget(uint64_t bytes, ClientMemoryNeed need) {
  if (budget_->TryCharge(bytes)) return true;
  if (need == ClientMemoryNeed::kIfThere) return false;
  budget_->ForceCharge(bytes);
  return true;
}

}  // namespace vitrine::store
