#include "store/roles/memory_role.h"

#include <string>
#include <utility>

namespace vitrine::store {

void MemoryRole::CreateSized(const ObjectId& id, uint64_t size_bytes,
                             const NewObject& options, SpaceWait wait,
                             Done<ObjectRef> done) {
  auto created = CreateRecycled(id, size_bytes, options);
  if (!created) return done(created.error());
  const ObjectRef object = *created;
  const ObjectInfo info = parts_->table->queries().Info(object);
  if (info.size_bytes == size_bytes && size_bytes > 0 &&
      info.charged_bytes >= size_bytes) {
    return done(object);  // Recycled; it has its memory.
  }
  Resize(object, size_bytes, wait,
         [this, object, done = std::move(done)](Status resized) {
           if (resized) return done(object);
           (void)parts_->Abort(object);
           done(resized.error());
         });
}

Result<ObjectRef> MemoryRole::CreateRecycled(const ObjectId& id,
                                             uint64_t size_bytes,
                                             const NewObject& options) {
  const Audience audience{.uid = options.creator.uid,
                          .gid = options.creator.gid,
                          .mode = options.mode & 07777};
  const auto recycled = parts_->pool->Take(audience, size_bytes);
  auto created = parts_->CreateIn(id, options, recycled);
  if (!created && recycled) parts_->pool->Put(audience, *recycled);
  return created;
}

void MemoryRole::Resize(const ObjectRef& object, uint64_t size_bytes,
                        SpaceWait wait, Done<void> done) {
  if (Status ok = parts_->table->unsealed().CheckWritable(object); !ok)
    return done(ok);
  if (size_bytes <= parts_->table->queries().Info(object).size_bytes) {
    auto begun = parts_->table->unsealed().BeginChange(object);
    if (!begun) return done(begun.error());
    Status shrunk = ShrinkNow(object, size_bytes);
    parts_->table->unsealed().EndChange(object);
    return done(std::move(shrunk));
  }
  WithCharge(
      object, parts_->RoundUp(size_bytes), wait,
      [this, object, size_bytes] { return GrowNow(object, size_bytes); },
      std::move(done));
}

void MemoryRole::Reserve(const ObjectRef& object, uint64_t offset_bytes,
                         uint64_t size_bytes, SpaceWait wait, Done<void> done) {
  if (size_bytes > UINT64_MAX - offset_bytes) {
    return done(Error{Code::kTooLarge, "beyond any file"});
  }
  const uint64_t end_bytes = parts_->RoundUp(offset_bytes + size_bytes);
  WithCharge(
      object, end_bytes, wait,
      [this, object, offset_bytes, size_bytes] {
        return parts_->segments.Reserve(object->number, offset_bytes,
                                        size_bytes);
      },
      std::move(done));
}

void MemoryRole::WithCharge(const ObjectRef& object, uint64_t needed_bytes,
                            SpaceWait wait, std::function<Status()> then,
                            Done<void> done) {
  auto charged = parts_->table->unsealed().BeginChange(object);
  if (!charged) return done(charged.error());
  const uint64_t charged_bytes = *charged;
  if (needed_bytes > parts_->budget->capacity_bytes()) {
    parts_->table->unsealed().EndChange(object);
    return done(Error{Code::kTooLarge,
                      std::to_string(needed_bytes) +
                          " bytes are more than the capacity of " +
                          std::to_string(parts_->budget->capacity_bytes())});
  }
  if (needed_bytes <= charged_bytes ||
      parts_->budget->TryCharge(needed_bytes - charged_bytes)) {
    return Charged(object, needed_bytes, charged_bytes, then, done);
  }
  parts_->budget->Charge(
      needed_bytes - charged_bytes, wait,
      [this, object, needed_bytes, charged_bytes, then = std::move(then),
       done = std::move(done)](Status granted) {
        if (!granted) {
          parts_->table->unsealed().EndChange(object);
          return done(parts_->Explain(granted.error()));
        }
        // The thread that freed the space does not allocate it, too.
        parts_->workers->Run(
            [this, object, needed_bytes, charged_bytes, then, done] {
              Charged(object, needed_bytes, charged_bytes, then, done);
            });
      },
      object.get());
  // It may have gone before it waited.
  if (!parts_->table->unsealed().CheckWritable(object))
    parts_->budget->EndWaitsOf(object.get());
}

void MemoryRole::Charged(const ObjectRef& object, uint64_t needed_bytes,
                         uint64_t charged_bytes,
                         const std::function<Status()>& then,
                         const Done<void>& done) {
  if (needed_bytes > charged_bytes) {
    // Somebody else may have raised it meanwhile, or the object may be gone.
    const uint64_t raised =
        parts_->table->unsealed().RaiseCharge(object, needed_bytes);
    parts_->budget->Uncharge(needed_bytes - charged_bytes - raised);
  }
  Status status = then();
  parts_->table->unsealed().EndChange(object);
  done(std::move(status));
}

Status MemoryRole::GrowNow(const ObjectRef& object, uint64_t size_bytes) {
  const uint64_t before = parts_->table->queries().Info(object).size_bytes;
  // The size first: huge pages are given only within it.
  auto grown = parts_->table->unsealed().SetSize(object, size_bytes);
  if (!grown) return grown.error();
  parts_->GiveBack(*grown);  // It may have been larger by now.
  Status reserved = parts_->segments.Reserve(object->number, 0, size_bytes);
  if (!reserved) (void)ShrinkNow(object, before);
  return reserved;
}

Status MemoryRole::ShrinkNow(const ObjectRef& object, uint64_t size_bytes) {
  auto freed = parts_->table->unsealed().SetSize(object, size_bytes);
  if (!freed) return freed.error();
  parts_->GiveBack(*freed);
  return Status();
}

}  // namespace vitrine::store
