// The public class.  A client that was moved from has no ClientImpl.
#include <vitrine/client.h>

#include <utility>

#include "client/client_impl.h"
#include "client/many_getter.h"
#include "client/mapped_object.h"

namespace vitrine {
namespace {

Error MovedFrom() {
  return Error{Code::kInvalidArgument, "the client was moved from"};
}

}  // namespace

std::span<const std::byte> Object::bytes() const {
  return mapped_ != nullptr ? mapped_->bytes() : std::span<const std::byte>();
}

Result<Metadata> Object::GetMetadata() const {
  if (mapped_ != nullptr) return mapped_->GetMetadata();
  return Error{Code::kInvalidArgument, "the object was moved from"};
}

Result<Client> Client::Connect(const ConnectOptions& options) {
  auto impl = ClientImpl::Connect(options);
  if (!impl) return impl.error();
  return Client(std::move(*impl));
}

Result<Writer> Client::Create(const ObjectId& id, uint64_t size_bytes,
                              const CreateOptions& options) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->Create(id, size_bytes, options);
}

Status Client::Put(const ObjectId& id, std::span<const std::byte> bytes,
                   const CreateOptions& options) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->Put(id, bytes, options);
}

Status Client::PutLater(const ObjectId& id, std::span<const std::byte> bytes,
                        const CreateOptions& options) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->PutLater(id, bytes, options);
}

Result<std::vector<FailedPut>> Client::Flush(Timeout timeout) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->Flush(timeout);
}

Result<Object> Client::Get(const ObjectId& id, Timeout timeout) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->Get(id, timeout);
}

Result<std::vector<std::optional<Object>>> Client::GetMany(
    std::span<const ObjectId> ids, const GetManyOptions& options) {
  if (impl_ == nullptr) return MovedFrom();
  return ManyGetter(impl_.get(), ids, options).Run();
}

Result<bool> Client::Contains(const ObjectId& id) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->Contains(id);
}

Result<ObjectStat> Client::Stat(const ObjectId& id) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->Stat(id);
}

Result<Metadata> Client::GetMetadata(const ObjectId& id) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->GetMetadata(id);
}

Result<std::vector<ObjectStat>> Client::List(Listed which) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->List(which);
}

Status Client::Delete(const ObjectId& id) {
  auto results = DeleteMany({&id, 1});
  if (!results) return results.error();
  return std::move(results->front());
}

Result<std::vector<Status>> Client::DeleteMany(std::span<const ObjectId> ids) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->DeleteMany(ids);
}

Result<uint64_t> Client::Evict(uint64_t bytes) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->Evict(bytes);
}

Status Client::Hold(const ObjectId& id) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->SetHold(id, true);
}

Status Client::Unhold(const ObjectId& id) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->SetHold(id, false);
}

Status Client::SealByName(const ObjectId& id) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->SealByName(id);
}

Status Client::AbortByName(const ObjectId& id) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->AbortByName(id);
}

Result<Subscription> Client::Subscribe(EventsFrom from) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->Subscribe(from);
}

Result<std::vector<Account>> Client::GetAccounts() {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->GetAccounts();
}

Status Client::SetQuota(Account::Kind kind, std::optional<uint32_t> id,
                        const std::string& limits) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->SetQuota(kind, id, limits);
}

Result<std::string> Client::GetStatus() {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->GetStatus();
}

Result<std::string> Client::StateDir() {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->StateDir();
}

}  // namespace vitrine
