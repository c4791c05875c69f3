#include "store/roles/store_parts.h"

#include <string>
#include <utility>

namespace vitrine::store {

uint64_t StoreParts::RoundUp(uint64_t bytes) const {
  const uint64_t page = segments.page_bytes();
  const uint64_t rest = bytes % page;
  return rest == 0 || bytes > UINT64_MAX - page ? bytes : bytes - rest + page;
}

Error StoreParts::Explain(const Error& error) const {
  if (error.code != Code::kOutOfMemory) return error;
  const TableQueries::Numbers objects = table->queries().Count();
  const Orphans::Numbers in_use = orphans->Count();
  auto part = [](uint64_t count, uint64_t bytes, const char* what) {
    return std::to_string(count) + " " + what + " take " +
           std::to_string(bytes) + " bytes";
  };
  return Error{
      error.code,
      error.message + "; " +
          part(objects.sealed_objects, objects.sealed_bytes, "sealed") + " (" +
          part(objects.held_objects, objects.held_bytes, "held") + "), " +
          part(objects.unsealed_objects, objects.unsealed_bytes, "unsealed") +
          ", " + part(objects.blanks, objects.blank_bytes, "blanks") + ", " +
          part(in_use.count, in_use.bytes, "deleted but still in use") +
          ", pages and rings of clients " +
          std::to_string(client_memory->bytes()) + " bytes"};
}

void StoreParts::GiveBack(int64_t freed_bytes) {
  if (freed_bytes >= 0) {
    budget->Uncharge(static_cast<uint64_t>(freed_bytes));
  } else {
    budget->ForceCharge(static_cast<uint64_t>(-freed_bytes));
  }
}

void StoreParts::DropNow(DroppedSegment dropped) {
  orphans->Add(std::move(dropped));
  if (orphans->Count().count > 0) housekeeper->Wake();
}

Result<ObjectRef> StoreParts::CreateIn(
    const ObjectId& id, const NewObject& new_object,
    const std::optional<RetiredSegment>& recycled) {
  if (Status ok = CheckMetadata(new_object.metadata); !ok) return ok.error();
  const uint64_t charge = MetadataCharge(new_object.metadata);
  if (!budget->TryCharge(charge)) {
    return Explain(Error{Code::kOutOfMemory, "no space for the metadata"});
  }
  auto created = table->unsealed().Insert(id, new_object, recycled);
  if (!created) budget->Uncharge(charge);
  return created;
}

Status StoreParts::Abort(const ObjectRef& object) {
  auto dropped = table->unsealed().Abort(object);
  if (!dropped) return dropped.error();
  DropNow(*std::move(dropped));
  // Others wait behind what nobody wants any more.
  budget->EndWaitsOf(object.get());
  return Status();
}

}  // namespace vitrine::store
