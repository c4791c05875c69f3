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
constexpr uint64_t kFreeBytes = uint64_t{1} << 20;

}  // namespace

ClientMemory::ClientMemory(MemoryBudget* budget, Accounts* accounts)
    : budget_(budget),
      accounts_(accounts),
      most_bytes_(std::max(budget->capacity_bytes() / kPart, kLeastBytes)) {}

Result<std::shared_ptr<const void>> ClientMemory::Take(const Payer& payer,
                                                       uint64_t bytes,
                                                       ClientMemoryNeed need) {
  const Result<Piece> piece = Add(payer, bytes);
  if (!piece) return piece.error();
  if (Status ok = accounts_->Charge(payer, Resource::kMemory, bytes); !ok) {
    Subtract(*piece);
    return ok.error();
  }
  if (!ChargeBudget(piece->budgeted_bytes, need)) {
    accounts_->Release(payer, Resource::kMemory, bytes);
    Subtract(*piece);
    return Error{Code::kOutOfMemory,
                 "the store has no " + std::to_string(bytes) +
                     " bytes to share with a client without an eviction"};
  }
  return std::shared_ptr<const void>(
      static_cast<const void*>(this),
      [this, piece = *piece](const void*) { GiveBack(piece); });
}

void ClientMemory::GiveBack(const Piece& piece) {
  budget_->Uncharge(piece.budgeted_bytes);
  accounts_->Release(piece.payer, Resource::kMemory, piece.bytes);
  Subtract(piece);
}

uint64_t ClientMemory::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

uint64_t ClientMemory::budgeted_bytes() const {
  MutexLock lock(mutex_);
  return budgeted_bytes_;
}

Result<ClientMemory::Piece> ClientMemory::Add(const Payer& payer,
                                              uint64_t bytes) {
  MutexLock lock(mutex_);
  if (!accounts_->IsPrivileged(payer.uid)) {
    if (Status ok = CheckOrdinary(payer.uid, bytes); !ok) return ok.error();
    ordinary_bytes_ += bytes;
    ordinary_users_[payer.uid] += bytes;
  }
  const uint64_t taken = bytes_ - budgeted_bytes_;  // Of what is free.
  const uint64_t budgeted = bytes - std::min(bytes, kFreeBytes - taken);
  bytes_ += bytes;
  budgeted_bytes_ += budgeted;
  return Piece{payer, bytes, budgeted};
}

Status ClientMemory::CheckOrdinary(uid_t uid, uint64_t bytes) const {
  const auto found = ordinary_users_.find(uid);
  const uint64_t has = found == ordinary_users_.end() ? 0 : found->second;
  // However many take it, the next one finds some.
  const uint64_t most = (most_bytes_ - (ordinary_bytes_ - has)) / 2;
  if (has > most || bytes > most - has) {
    return Error{Code::kOverQuota,
                 "the store shares " + std::to_string(has) +
                     " bytes with the clients of user " + std::to_string(uid) +
                     ", and may share " + std::to_string(most)};
  }
  return {};
}

void ClientMemory::Subtract(const Piece& piece) {
  MutexLock lock(mutex_);
  bytes_ -= piece.bytes;
  budgeted_bytes_ -= piece.budgeted_bytes;
  const auto found = ordinary_users_.find(piece.payer.uid);
  if (found == ordinary_users_.end()) return;
  ordinary_bytes_ -= piece.bytes;
  found->second -= piece.bytes;
  if (found->second == 0) ordinary_users_.erase(found);
}

bool ClientMemory::ChargeBudget(uint64_t bytes, ClientMemoryNeed need) {
  if (budget_->TryCharge(bytes)) return true;
  if (need == ClientMemoryNeed::kIfThere) return false;
  budget_->ForceCharge(bytes);
  return true;
}

}  // namespace vitrine::store
