// Create and Writer.
#include <utility>

#include "client/blank_writer.h"
#include "client/calls/messages.h"
#include "client/client_impl.h"
#include "client/segment_writer.h"
#include "client/small_writer.h"

namespace vitrine {

// --- Writer ---

Writer::Writer(std::unique_ptr<WriterState> state) : state_(std::move(state)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

std::span<std::byte> Writer::bytes() {
  return state_ != nullptr ? state_->bytes() : std::span<std::byte>();
}

Status Writer::Seal() {
  if (state_ != nullptr) return state_->Seal();
  return Error{Code::kInvalidArgument, "the writer was moved from"};
}

Status Writer::SealLater() {
  if (state_ != nullptr) return state_->SealLater();
  return Error{Code::kInvalidArgument, "the writer was moved from"};
}

Status Writer::Abort() {
  if (state_ != nullptr) return state_->Abort();
  return Error{Code::kInvalidArgument, "the writer was moved from"};
}

// --- ClientImpl ---

Result<unsigned> ClientImpl::ModeOf(const CreateOptions& options) const {
  if ((options.mode & ~0777U) != 0) {
    return Error{Code::kInvalidArgument, "the mode has more than nine bits"};
  }
  auto metadata = CheckMetadata(options.metadata);
  if (!metadata) return metadata.error();
  return options.mode & ~umask_;
}

Result<ClientImpl::NewObject> ClientImpl::Reserve(
    const ObjectId& id, uint64_t size_bytes, const CreateOptions& options) {
  auto mode = ModeOf(options);
  if (!mode) return mode.error();
  auto session = core_->Current();
  if (!session) return session.error();
  protocol::CreateT request;
  request.id = id.text();
  request.size_bytes = size_bytes;
  request.mode = *mode;
  request.metadata = PackMetadata(options.metadata);
  request.timeout_ms = ProtocolMs(options.timeout);
  const uint64_t forks_before = ForksBegun();
  auto answer = (*session)->calls().Ask<protocol::CreateReply>(
      std::move(request), DeadlineAfter(options.timeout));
  if (!answer) return answer.error();
  // From here on every failure aborts the object.
  NewObject object{
      std::make_unique<SegmentWriter>(weak_from_this(), *session,
                                      (*answer)->number(), forks_before),
      PrivateFd(), (*answer)->recycled()};
  if (answer->fds.size() != 1) {
    return Error{Code::kCorruption, "the store sent no descriptor"};
  }
  object.fd = std::move(answer->fds[0]);
  return object;
}

Result<Writer> ClientImpl::Create(const ObjectId& id, uint64_t size_bytes,
                                  const CreateOptions& options) {
  auto small = MayBeSmall(size_bytes, options);
  if (!small) return small.error();
  if (*small) return CreateSmall(id, size_bytes, options);
  auto in_blank = WriteToBlank(id, size_bytes, options);
  if (!in_blank) return in_blank.error();
  if (*in_blank != nullptr) return Writer(std::move(*in_blank));
  auto object = Reserve(id, size_bytes, options);
  if (!object) return object.error();
  auto mapped = object->writer->Map(object->fd, size_bytes);
  if (!mapped) return mapped.error();
  return Writer(std::move(object->writer));
}

Result<bool> ClientImpl::MayBeSmall(uint64_t size_bytes,
                                    const CreateOptions& options) {
  if (options.announce) return false;
  auto mode = ModeOf(options);
  if (!mode) return mode.error();
  auto ring = RingFor(core_->Hold(), size_bytes, options.metadata, *mode);
  if (!ring) return ring.error();
  return *ring != nullptr;
}

Status ClientImpl::CheckNotSealed(const ObjectId& id) {
  auto sealed = Contains(id);
  if (!sealed) return sealed.error();
  if (!*sealed) return {};
  return Error{Code::kAlreadyExists, "`" + id.text() + "` is taken"};
}

Result<std::unique_ptr<WriterState>> ClientImpl::WriteToBlank(
    const ObjectId& id, uint64_t size_bytes, const CreateOptions& options) {
  auto mode = ModeOf(options);
  if (!mode) return mode.error();
  if (options.announce || size_bytes == 0 || size_bytes > kMaxBlankBytes ||
      RecordMetadataBytes(options.metadata) > kMaxRecordMetadataBytes) {
    return std::unique_ptr<WriterState>();
  }
  auto is_free = CheckNotSealed(id);
  if (!is_free) return is_free.error();
  auto session = core_->Current();
  if (!session) return session.error();
  auto blank = (*session)->blanks().Take(size_bytes, *mode);
  if (!blank) return std::unique_ptr<WriterState>();
  return std::unique_ptr<WriterState>(
      std::make_unique<BlankWriter>(weak_from_this(), *session, id, size_bytes,
                                    options.metadata, std::move(*blank)));
}

Result<Writer> ClientImpl::CreateSmall(const ObjectId& id, uint64_t size_bytes,
                                       const CreateOptions& options) {
  auto is_free = CheckNotSealed(id);
  if (!is_free) return is_free.error();
  auto writer = SmallWriter::Make(weak_from_this(), id, size_bytes, options);
  if (!writer) return writer.error();
  return Writer(std::move(*writer));
}

}  // namespace vitrine
