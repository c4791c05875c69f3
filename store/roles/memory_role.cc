#include "store/roles/memory_role.h"

#include <algorithm>
#include <string>
#include <utility>

namespace vitrine::store {
namespace {

Audience AudienceOf(const NewObject& options) {
  return {.uid = options.creator.uid,
          .gid = options.creator.gid,
          .mode = options.mode & 07777};
}

}  // namespace

void MemoryRole::CreateSized(const ObjectId& id, uint64_t size_bytes,
                             const NewObject& options, SpaceWait wait,
                             Done<ObjectRef> done) {
  // Else it would be seen to come and go.
  Status may = parts_->table->unsealed().CheckInsert(
      PayerOf(options.creator), parts_->RoundUp(size_bytes));
  if (!may) return done(may.error());
  auto created = CreateRecycled(id, size_bytes, options);
  if (!created) return done(created.error());
  const ObjectRef object = *created;
  const ObjectInfo info = parts_->table->queries().Info(object);
  if (info.size_bytes == size_bytes && size_bytes > 0 &&
      info.charged_bytes >= size_bytes) {
    return done(object);  // Recycled; it has its memory.
  }
  Request request =
      GrowthOf(object, size_bytes, info.size_bytes, wait,
               [this, object, done = std::move(done)](Status resized) {
                 if (resized) return done(object);
                 (void)parts_->Abort(object);
                 done(resized.error());
               });
  if (info.charged_bytes == 0) {
    request.wanted = {AudienceOf(options), size_bytes};
  }
  WithCharge(std::move(request));
}

Result<ObjectRef> MemoryRole::CreateRecycled(const ObjectId& id,
                                             uint64_t size_bytes,
                                             const NewObject& options) {
  const Audience audience = AudienceOf(options);
  const auto recycled = parts_->pool->Take(audience, size_bytes);
  auto created = parts_->CreateIn(id, options, recycled);
  if (!created && recycled) parts_->pool->Put(audience, *recycled);
  return created;
}

void MemoryRole::Resize(const ObjectRef& object, uint64_t size_bytes,
                        SpaceWait wait, Done<void> done) {
  if (Status ok = parts_->table->unsealed().CheckWritable(object); !ok)
    return done(ok);
  const uint64_t before = SizeOf(object);
  if (size_bytes <= before) {
    auto begun = parts_->table->unsealed().BeginChange(object);
    if (!begun) return done(begun.error());
    Status shrunk = ShrinkNow(object, size_bytes);
    parts_->table->unsealed().EndChange(object);
    return done(std::move(shrunk));
  }
  WithCharge(GrowthOf(object, size_bytes, before, wait, std::move(done)));
}

MemoryRole::Request MemoryRole::GrowthOf(const ObjectRef& object,
                                         uint64_t size_bytes, uint64_t before,
                                         SpaceWait wait, Done<void> done) {
  return {.object = object,
          .needed_bytes = parts_->RoundUp(size_bytes),
          .wait = wait,
          .then = [this, object,
                   size_bytes] { return GrowNow(object, size_bytes); },
          .undo = [this, object, size_bytes,
                   before] { return Undo(object, size_bytes, before); },
          .done = std::move(done)};
}

void MemoryRole::Reserve(const ObjectRef& object, uint64_t offset_bytes,
                         uint64_t size_bytes, SpaceWait wait, Done<void> done) {
  if (size_bytes > UINT64_MAX - offset_bytes) {
    return done(Error{Code::kTooLarge, "beyond any file"});
  }
  const uint64_t end_bytes = parts_->RoundUp(offset_bytes + size_bytes);
  WithCharge({object, end_bytes, wait,
              [this, object, offset_bytes, size_bytes] {
                return parts_->segments.Reserve(object->number, offset_bytes,
                                                size_bytes);
              },
              nullptr, std::move(done)});
}

void MemoryRole::WithCharge(Request new_request) {
  const auto request = std::make_shared<Request>(std::move(new_request));
  auto charged = parts_->table->unsealed().BeginChange(request->object);
  if (!charged) return request->done(charged.error());
  request->charged_bytes = *charged;
  const uint64_t capacity = parts_->budget->capacity_bytes();
  if (request->needed_bytes > capacity) {
    return Finish(request, Error{Code::kTooLarge,
                                 std::to_string(request->needed_bytes) +
                                     " bytes are more than the capacity of " +
                                     std::to_string(capacity)});
  }
  // Others take memory while it waits, so the answer is asked for again.
  Status may = parts_->table->unsealed().CheckRaise(request->object,
                                                    request->needed_bytes);
  if (!may) return Finish(request, std::move(may));
  if (TryCharge(*request)) return Charged(request);
  Wait(request);
}

void MemoryRole::Wait(const RequestRef& request) {
  parts_->budget->NoteFree(parts_->segments.FreeBytes());
  parts_->budget->Charge(request->needed_bytes - request->charged_bytes,
                         WaitOf(*request), WhenGranted(request),
                         request->object.get(), WishOf(request));
  EndIfGone(request);
}

MemoryBudget::Wish MemoryRole::WishOf(const RequestRef& request) {
  if (!request->wanted) return {};
  return {request->wanted->audience,
          [this, request](const RetiredSegment& segment) {
            parts_->workers->Run(
                [this, request, segment] { HandedOver(request, segment); });
          }};
}

void MemoryRole::HandedOver(const RequestRef& request, RetiredSegment segment) {
  if (Adopt(*request, &segment)) {
    parts_->pool->NoteHandedOver();
    request->charged_bytes = segment.allocated_bytes;
  } else {
    parts_->pool->Drop(segment);
  }
  request->wanted.reset();
  if (TryCharge(*request)) return Charged(request);
  // It keeps its turn.
  parts_->budget->ChargeFirst(request->needed_bytes - request->charged_bytes,
                              WaitOf(*request), WhenGranted(request),
                              request->object.get());
  EndIfGone(request);
}

void MemoryRole::EndIfGone(const RequestRef& request) {
  if (!parts_->table->unsealed().CheckWritable(request->object))
    parts_->budget->EndWaitsOf(request->object.get());
}

bool MemoryRole::Adopt(const Request& request, RetiredSegment* segment) {
  const auto cut = parts_->pool->Refit(*segment, request.wanted->size_bytes);
  if (!cut) return false;
  parts_->budget->Uncharge(segment->allocated_bytes - cut->allocated_bytes);
  *segment = *cut;
  return bool{parts_->table->unsealed().Adopt(
      request.object, request.wanted->audience, *segment)};
}

bool MemoryRole::TryCharge(const Request& request) {
  return request.needed_bytes <= request.charged_bytes ||
         parts_->budget->TryCharge(request.needed_bytes -
                                   request.charged_bytes);
}

Done<void> MemoryRole::WhenGranted(const RequestRef& request) {
  return [this, request](Status granted) {
    if (!granted) return Finish(request, parts_->Explain(granted.error()));
    // The thread that freed the space does not allocate it, too.
    parts_->workers->Run([this, request] { Charged(request); });
  };
}

void MemoryRole::Charged(const RequestRef& request) {
  const uint64_t bytes =
      request->needed_bytes -
      std::min(request->needed_bytes, request->charged_bytes);
  if (bytes > 0) {
    // Somebody else may have raised it meanwhile, or the object may be gone.
    const auto raised = parts_->table->unsealed().TryRaiseCharge(
        request->object, request->needed_bytes);
    parts_->budget->Uncharge(bytes - (raised ? *raised : 0));
    if (!raised) return Finish(request, raised.error());
  }
  Status status = request->then();
  if (!status && status.error().code == Code::kOutOfMemory) {
    return WaitForOthers(request, std::move(status));
  }
  Finish(request, std::move(status));
}

void MemoryRole::WaitForOthers(const RequestRef& request, Status status) {
  // While it waits, the object is as if nothing had been asked for.
  const int64_t undone = request->undo ? request->undo() : 0;
  const auto lowered = parts_->table->unsealed().LowerCharge(request->object);
  if (!lowered) {
    parts_->GiveBack(undone);
    return Finish(request, std::move(status));
  }
  const int64_t freed = undone + lowered->freed_bytes;
  request->charged_bytes = lowered->charged_bytes;
  if (request->needed_bytes <= request->charged_bytes || freed < 0) {
    parts_->GiveBack(freed);
    return Finish(request, std::move(status));
  }
  parts_->budget->ChargeAgain(
      request->needed_bytes - request->charged_bytes,
      {static_cast<uint64_t>(freed), parts_->segments.FreeBytes()},
      WaitOf(*request), WhenGranted(request), request->object.get());
}

SpaceWait MemoryRole::WaitOf(const Request& request) const {
  SpaceWait wait = request.wait;
  wait.uid = parts_->table->queries().Info(request.object).uid;
  return wait;
}

void MemoryRole::Finish(const RequestRef& request, Status status) {
  if (!status && request->undo) parts_->GiveBack(request->undo());
  parts_->table->unsealed().EndChange(request->object);
  request->done(std::move(status));
}

uint64_t MemoryRole::SizeOf(const ObjectRef& object) const {
  return parts_->table->queries().Info(object).size_bytes;
}

Status MemoryRole::GrowNow(const ObjectRef& object, uint64_t size_bytes) {
  // The size first: huge pages are given only within it.
  auto grown = parts_->table->unsealed().SetSize(object, size_bytes);
  if (!grown) return grown.error();
  parts_->GiveBack(*grown);  // It may have been larger by now.
  return parts_->segments.Reserve(object->number, 0, size_bytes);
}

int64_t MemoryRole::Undo(const ObjectRef& object, uint64_t size_bytes,
                         uint64_t before) {
  if (SizeOf(object) != size_bytes) return 0;
  auto freed = parts_->table->unsealed().SetSize(object, before);
  return freed ? *freed : 0;
}

Status MemoryRole::ShrinkNow(const ObjectRef& object, uint64_t size_bytes) {
  auto freed = parts_->table->unsealed().SetSize(object, size_bytes);
  if (!freed) return freed.error();
  parts_->GiveBack(*freed);
  return Status();
}

}  // namespace vitrine::store
