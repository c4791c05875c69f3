#include "store/table/blank_ops.h"

#include <fcntl.h>

#include <memory>
#include <string>
#include <vector>

#include "store/table/object_errors.h"

namespace vitrine::store {
namespace {

// A record has an id; this one is in no directory, so nobody finds it.
ObjectId StandIn(uint64_t number) {
  return *ObjectId::FromText("blank " + std::to_string(number));
}

}  // namespace

Result<ObjectRef> BlankOps::Make(const Credentials& creator, mode_t mode,
                                 const RetiredSegment& segment) {
  MutexLock lock(table_->mutex);
  const Payer payer = PayerOf(creator);
  Status may = table_->accounts->Check(
      payer, OnlyOf(Resource::kMemory, segment.allocated_bytes));
  if (!may) return may.error();
  const uint64_t number = table_->next_number++;
  if (Status ok = table_->segments->Reinstate(segment.number, number); !ok) {
    return ok.error();
  }
  auto blank = std::make_shared<ObjectRecord>(
      ObjectInfo{.number = number,
                 .id = StandIn(number),
                 .state = ObjectState::kBlank,
                 .size_bytes = segment.size_bytes,
                 .mode = mode & 07777,
                 .uid = creator.uid,
                 .gid = creator.gid,
                 .creator_pid = creator.pid});
  blank->own->metadata = NoMetadata();
  blank->own->holders.Add(creator.uid);
  blank->own->charged_bytes = segment.allocated_bytes;
  table_->accounts->ForceCharge(payer, ChargeOf(*blank));
  table_->blanks.emplace(number, blank);
  table_->blank_bytes += blank->size_bytes;
  return blank;
}

Result<UniqueFd> BlankOps::OpenForWriting(const ObjectRef& blank) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsBlank(*blank); !ok) return ok.error();
  if (Status ok = CheckIsNotRenewing(*blank); !ok) return ok.error();
  blank->own->holders.Add(blank->uid);
  return table_->segments->OpenFresh(blank->number, O_RDWR);
}

Result<DroppedSegment> BlankOps::Drop(const ObjectRef& blank) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsBlank(*blank); !ok) return ok.error();
  const Reckoning reckoning(table_->accounts, *blank);
  table_->blanks.erase(blank->number);
  table_->blank_bytes -= blank->size_bytes;
  DroppedSegment dropped = table_->residency.Take(blank.get(), blank->number);
  blank->state = ObjectState::kGone;
  return dropped;
}

BlankOps::Numbers BlankOps::Count() const {
  MutexLock lock(table_->mutex);
  return {.blanks = table_->blanks.size(), .bytes = table_->blank_bytes};
}

std::vector<ObjectRef> BlankOps::List() const {
  std::vector<ObjectRef> blanks;
  MutexLock lock(table_->mutex);
  for (const auto& [number, blank] : table_->blanks) blanks.push_back(blank);
  return blanks;
}

}  // namespace vitrine::store
