#include "client/segment_writer.h"

#include "client/calls/messages.h"

namespace vitrine {

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

Status SegmentWriter::Seal() {
  return session_.Seal([this] { return SealOnce(); });
}

Status SegmentWriter::SealOnce() {
  auto usable = CheckUse(ended_);
  if (!usable) return usable;
  mapping_ = Mapping();  // A seal fails while any writable mapping exists.
  ended_ = true;
  auto session = session_.Current();
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
  auto session = session_.Current();
  if (!session) return session.error();
  auto answer =
      (*session)->calls().Ask<protocol::Done>(protocol::AbortT{{}, number_});
  if (answer) return {};
  Error error = answer.error();
  if (error.code == Code::kNotFound) error.code = Code::kGone;
  return error;
}

Status SegmentWriter::Map(const PrivateFd& fd, uint64_t size_bytes) {
  const auto session = session_.Get();
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
