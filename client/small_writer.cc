#include "client/small_writer.h"

#include <cstring>
#include <new>
#include <utility>

#include "client/client_impl.h"

namespace vitrine {
namespace {

// As aligned as the object will be in a slab.
constexpr std::align_val_t kAlignment{64};

// True after an answer that no later seal can change.
bool IsFinal(const Status& sealed) {
  return sealed || sealed.error().code == Code::kAlreadyExists ||
         sealed.error().code == Code::kInvalidArgument ||
         sealed.error().code == Code::kTooLarge;
}

}  // namespace

void SmallWriter::Free::operator()(std::byte* bytes) const {
  ::operator delete(bytes, kAlignment);
}

Result<std::unique_ptr<SmallWriter>> SmallWriter::Make(
    std::weak_ptr<ClientImpl> client, const ObjectId& id, size_t size_bytes,
    const CreateOptions& options) {
  void* const bytes = ::operator new(size_bytes, kAlignment, std::nothrow);
  if (bytes == nullptr) {
    return Error{Code::kOutOfMemory, "this process has no memory"};
  }
  // Nothing of this process is published unawares.
  std::memset(bytes, 0, size_bytes);
  return std::unique_ptr<SmallWriter>(
      new SmallWriter(std::move(client), id, size_bytes, options,
                      Buffer(static_cast<std::byte*>(bytes))));
}

SmallWriter::SmallWriter(std::weak_ptr<ClientImpl> client, ObjectId id,
                         size_t size_bytes, CreateOptions options,
                         Buffer buffer)
    : client_(std::move(client)),
      id_(std::move(id)),
      size_bytes_(size_bytes),
      options_(std::move(options)),
      buffer_(std::move(buffer)) {}

std::span<std::byte> SmallWriter::bytes() {
  if (IsForked() || buffer_ == nullptr) return {};
  return {buffer_.get(), size_bytes_};
}

Status SmallWriter::PutBy(PutFunction put) {
  auto usable = CheckUse(buffer_ == nullptr);
  if (!usable) return usable;
  const auto client = client_.lock();
  if (client == nullptr) {
    buffer_.reset();
    return Error{Code::kGone, "the client was closed, its objects aborted"};
  }
  auto done = ((*client).*put)(id_, bytes(), options_);
  if (IsFinal(done)) buffer_.reset();
  return done;
}

Status SmallWriter::Seal() { return PutBy(&ClientImpl::Put); }

Status SmallWriter::SealLater() { return PutBy(&ClientImpl::PutLater); }

Status SmallWriter::Abort() {
  auto usable = CheckUse(buffer_ == nullptr);
  if (usable) buffer_.reset();
  return usable;
}

}  // namespace vitrine
