#include "client/blank_writer.h"

#include <utility>

#include "client/calls/messages.h"

namespace vitrine {

BlankWriter::BlankWriter(std::weak_ptr<ClientImpl> client,
                         std::weak_ptr<Session> session, ObjectId id,
                         uint64_t size_bytes, Metadata metadata, Blank blank)
    : session_(std::move(client), std::move(session), blank.forks_before),
      id_(std::move(id)),
      size_bytes_(size_bytes),
      metadata_(std::move(metadata)),
      blank_(std::move(blank)) {}

BlankWriter::~BlankWriter() {
  if (IsForked()) {
    // A child does not inherit the mapping; its addresses may be in other use.
    (void)blank_.mapping.release();
    return;
  }
  if (!ended_) (void)Abort();
}

std::span<std::byte> BlankWriter::bytes() {
  if (IsForked() || blank_.mapping.data() == nullptr) return {};
  return {blank_.mapping.data(), static_cast<size_t>(size_bytes_)};
}

Status BlankWriter::Seal() {
  return session_.Seal([this] { return SealBy(&RingWriter::Seal, true); });
}

Status BlankWriter::SealLater() {
  if (!session_.NoForks()) return Seal();
  return SealBy(&RingWriter::SealLater, false);
}

Status BlankWriter::SealBy(Submit submit, bool keep_if_in_use) {
  auto usable = CheckUse(ended_);
  if (!usable) return usable;
  // A seal fails while any writable mapping exists.
  blank_.mapping = Mapping();
  ended_ = true;
  auto session = session_.Current();
  if (!session) return session.error();
  auto done = Send(session->get(), submit, keep_if_in_use);
  if (done) return done;
  Error error = done.error();
  ended_ = error.code != Code::kInUse;
  if (error.code == Code::kNotFound) error.code = Code::kGone;
  return error;
}

Status BlankWriter::Send(Session* session, Submit submit,
                         bool keep_if_in_use) const {
  auto ring = session->ring().Get();
  if (!ring) return ring.error();
  const auto packed = PackMetadataList(metadata_);
  Status sealed = ((**ring).*submit)(
      {id_, blank_.number, size_bytes_, keep_if_in_use, packed});
  if (sealed || sealed.error().code != RingWriter::kWouldWaitTooLong) {
    return sealed;
  }
  protocol::SealBlankT request;
  request.number = blank_.number;
  request.id = id_.text();
  request.size_bytes = size_bytes_;
  request.metadata = PackMetadata(metadata_);
  request.keep_if_in_use = keep_if_in_use;
  auto answer = session->calls().Ask<protocol::Done>(std::move(request));
  if (!answer) return answer.error();
  return {};
}

Status BlankWriter::Abort() {
  auto usable = CheckUse(ended_);
  if (!usable) return usable;
  ended_ = true;
  blank_.mapping = Mapping();
  const auto session = session_.Current();
  if (!session) return session.error();
  (*session)->blanks().GiveBack(blank_.number);
  return {};
}

}  // namespace vitrine
