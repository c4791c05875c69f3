// Create, Put and Writer.
#include <cerrno>
#include <cstring>
#include <utility>

#include "client/client_impl.h"
#include "client/messages.h"
#include "client/writer_state.h"

namespace vitrine {

// --- Writer::State ---

Writer::State::~State() {
  if (IsForked()) {
    // The mapping was not inherited (MADV_DONTFORK), and its addresses may
    // belong to something else by now.
    (void)mapping_.release();
    return;
  }
  if (!ended_) (void)Abort();
}

std::span<std::byte> Writer::State::bytes() const {
  if (IsForked() || mapping_.data() == nullptr) return {};
  return {mapping_.data(), static_cast<size_t>(size_bytes_)};
}

Status Writer::State::CheckUse() const {
  if (IsForked()) {
    return Error{Code::kForked, "the writer is the parent process's"};
  }
  if (ended_) return Error{Code::kInvalidArgument, "the writer has ended"};
  return {};
}

Result<std::shared_ptr<Session>> Writer::State::CurrentSession() const {
  const auto client = client_.lock();
  if (client == nullptr) {
    return Error{Code::kGone, "the client was closed, its objects aborted"};
  }
  auto current = client->core().Current();
  if (!current) return current.error();
  if (*current != session_.lock()) {
    return Error{Code::kGone, "the store was restarted, the object aborted"};
  }
  return current;
}

Status Writer::State::Seal() {
  auto usable = CheckUse();
  if (!usable) return usable;
  mapping_ = Mapping();  // The store asks the kernel whether anybody has one.
  ended_ = true;
  auto session = CurrentSession();
  if (!session) return session.error();
  auto answer =
      (*session)->calls().Ask<protocol::Done>(protocol::SealT{{}, number_});
  if (answer) return {};
  Error error = answer.error();
  ended_ = error.code != Code::kInUse;
  if (error.code == Code::kNotFound) error.code = Code::kGone;
  return error;
}

Status Writer::State::Abort() {
  auto usable = CheckUse();
  if (!usable) return usable;
  mapping_ = Mapping();
  ended_ = true;
  auto session = CurrentSession();
  if (!session) return session.error();
  auto answer =
      (*session)->calls().Ask<protocol::Done>(protocol::AbortT{{}, number_});
  if (answer) return {};
  Error error = answer.error();
  if (error.code == Code::kNotFound) error.code = Code::kGone;
  return error;
}

// --- Writer ---

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}
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

Result<Writer> ClientImpl::Create(const ObjectId& id, uint64_t size_bytes,
                                  const CreateOptions& options) {
  auto mode = ModeOf(options);
  if (!mode) return mode.error();
  auto session = core_->Current();
  if (!session) return session.error();
  protocol::CreateT request;
  request.id = id.text();
  request.size_bytes = size_bytes;
  request.mode = *mode;
  request.metadata = PackMetadata(options.metadata);
  request.timeout_ms = options.timeout.milliseconds();
  auto answer = (*session)->calls().Ask<protocol::CreateReply>(
      std::move(request), DeadlineAfter(options.timeout));
  if (!answer) return answer.error();
  Result<Mapping> mapping = Error{Code::kCorruption, "no descriptor came"};
  if (answer->fds.size() == 1) {
    mapping = (*session)->MapForWriting(answer->fds[0], size_bytes);
  }
  const bool usable = mapping.has_value();
  auto state = std::make_unique<Writer::State>(
      weak_from_this(), *session, (*answer)->number(),
      usable ? std::move(*mapping) : Mapping(), size_bytes);
  if (!usable) return mapping.error();  // The state aborts it.
  return Writer(std::move(state));
}

Status ClientImpl::Put(const ObjectId& id, std::span<const std::byte> bytes,
                       const CreateOptions& options) {
  auto mode = ModeOf(options);
  if (!mode) return mode.error();
  return bytes.size() <= kMaxInlinePutBytes
             ? PutInline(id, bytes, options, *mode)
             : PutLarge(id, bytes, options);
}

Status ClientImpl::PutInline(const ObjectId& id,
                             std::span<const std::byte> bytes,
                             const CreateOptions& options, unsigned mode) {
  auto session = core_->Current();
  if (!session) return session.error();
  protocol::PutT request;
  request.id = id.text();
  request.data.resize(bytes.size());
  if (!bytes.empty()) {
    std::memcpy(request.data.data(), bytes.data(), bytes.size());
  }
  request.mode = mode;
  request.metadata = PackMetadata(options.metadata);
  request.timeout_ms = options.timeout.milliseconds();
  auto answer = (*session)->calls().Ask<protocol::PutReply>(
      std::move(request), DeadlineAfter(options.timeout));
  if (!answer) return answer.error();
  return {};
}

Status ClientImpl::PutLarge(const ObjectId& id,
                            std::span<const std::byte> bytes,
                            const CreateOptions& options) {
  auto writer = Create(id, bytes.size(), options);
  if (!writer) return writer.error();
  const std::span<std::byte> target = writer->bytes();
  std::memcpy(target.data(), bytes.data(), bytes.size());
  return writer->Seal();
}

}  // namespace vitrine
