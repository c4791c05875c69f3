#include "client/segment_writer.h"

#include <chrono>

#include "client/base/spin_lock.h"
#include "client/calls/messages.h"

namespace vitrine {
namespace {

// How long a child that was just forked may take to drop a descriptor.
constexpr std::chrono::milliseconds kForkPatience{500};

}  // namespace

SegmentWriter::~SegmentWriter() {
  if (IsForked()) {
    // A child does not inherit the mapping (MADV_DONTFORK); its addresses may
    // be in other use by now.
    (void)mapping_.release();
    return;
  }
  if (!ended_) (void)Abort();
}

std::span<std::byte> SegmentWriter::bytes() {
  if (IsForked() || mapping_.data() == nullptr) return {};
  return {mapping_.data(), static_cast<size_t>(size_bytes_)};
}

Result<std::shared_ptr<Session>> SegmentWriter::CurrentSession() const {
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
Status SegmentWriter::Seal() {
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

Status SegmentWriter::SealOnce() {
  auto usable = CheckUse(ended_);
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

Status SegmentWriter::Abort() {
  auto usable = CheckUse(ended_);
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

Status SegmentWriter::Map(const PrivateFd& fd, uint64_t size_bytes) {
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

}  // namespace vitrine
