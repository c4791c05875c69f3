// Create and Writer.
#include <utility>

#include "client/base/spin_lock.h"
#include "client/calls/messages.h"
#include "client/client_impl.h"
#include "client/writer_state.h"

namespace vitrine {
namespace {

// How long a child that was just forked may take to drop a descriptor.
constexpr std::chrono::milliseconds kForkPatience{500};

}  // namespace

// --- Writer::State ---

Writer::State::~State() {
  if (IsForked()) {
    // A child does not inherit the mapping (MADV_DONTFORK); its addresses may
    // be in other use by now.
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

// A child that another thread forks has a copy of the descriptor until its fork
// handler has run.  This process cannot see when that is.
Status Writer::State::Seal() {
  auto sealed = SealOnce();
  if (forks_before_ == ForksBegun()) return sealed;
  const Deadline deadline = Clock::now() + kForkPatience;
  Backoff backoff;
  while (!sealed && sealed.error().code == Code::kInUse &&
         Clock::now() < deadline) {
    backoff.Pause();
    sealed = SealOnce();
  }
  return sealed;
}

Status Writer::State::SealOnce() {
  auto usable = CheckUse();
  if (!usable) return usable;
  mapping_ = Mapping();  // A seal fails while any writable mapping exists.
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

Status Writer::State::Map(const PrivateFd& fd, uint64_t size_bytes) {
  const auto session = session_.lock();
  if (session == nullptr) {
    return Error{Code::kGone, "the store was restarted, the object aborted"};
  }
  auto mapping = session->MapForWriting(fd, size_bytes);
  if (!mapping) return mapping.error();
  mapping_ = std::move(*mapping);
  size_bytes_ = size_bytes;
  return {};
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
      std::make_unique<Writer::State>(weak_from_this(), *session,
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
  auto object = Reserve(id, size_bytes, options);
  if (!object) return object.error();
  auto mapped = object->state->Map(object->fd, size_bytes);
  if (!mapped) return mapped.error();
  return Writer(std::move(object->state));
}

}  // namespace vitrine
