#include "client/mapped_object.h"

#include <utility>

#include "client/calls/messages.h"
#include "client/client_core.h"
#include "client/session.h"

namespace vitrine {
namespace {

Error Gone(const std::string& id) {
  return Error{Code::kNotFound,
               "'" + id + "' was deleted, and its metadata with it"};
}

}  // namespace

MappedObject::~MappedObject() {
  if (session_ != nullptr) session_->Release(stripe_, pin_, segment_);
}

Status MappedObject::SetBytes(uint64_t offset, uint64_t size_bytes) {
  if (offset > segment_->size_bytes ||
      size_bytes > segment_->size_bytes - offset) {
    return Error{Code::kCorruption, "an object beyond its segment"};
  }
  bytes_ = {segment_->data + offset, static_cast<size_t>(size_bytes)};
  return {};
}

Result<Metadata> MappedObject::GetMetadata() {
  if (metadata_ == nullptr) return Metadata();
  return metadata_->Get();
}

Result<Metadata> MappedObject::LazyMetadata::Get() {
  {
    MutexLock lock(mutex_);
    if (known_.has_value()) return *known_;
  }
  auto metadata = Ask();
  if (!metadata) return metadata;
  MutexLock lock(mutex_);
  known_ = *metadata;
  return metadata;
}

// Requests name ids, and the id may belong to another object by now.  Numbers
// are never reused: if the id belongs to this object's number after the answer,
// it did so all the time.
Result<Metadata> MappedObject::LazyMetadata::Ask() {
  auto session = core_->Current();
  if (!session) return session.error();
  auto metadata = AskForMetadata((*session)->calls(), id_);
  if (!metadata) {
    const bool gone = metadata.error().code == Code::kNotFound;
    return gone ? Gone(id_) : metadata.error();
  }
  auto answer =
      (*session)->calls().Ask<protocol::StatReply>(protocol::StatT{{}, id_});
  if (!answer && answer.error().code != Code::kNotFound) return answer.error();
  if (!answer || (*answer)->info()->number() != number_) return Gone(id_);
  return metadata;
}

}  // namespace vitrine
