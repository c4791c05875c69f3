#include "client/blank_writer.h"

#include <utility>

namespace vitrine {

BlankWriter::BlankWriter(std::weak_ptr<ClientImpl> client,
                         std::weak_ptr<Session> session, ObjectId id,
                         uint64_t size_bytes, std::vector<uint8_t> metadata,
                         Blank blank)
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
  blank_.mapping =
      Mapping();  // A seal fails while any writable mapping exists.
  ended_ = true;
  auto session = session_.Current();
  if (!session) return session.error();
  auto ring = (*session)->ring().Get();
  if (!ring) return ring.error();
  const SealedBlank sealed{id_, blank_.number, size_bytes_, keep_if_in_use,
                           metadata_};
  auto done = ((**ring).*submit)(sealed);
  if (done) return done;
  Error error = done.error();
  ended_ = error.code != Code::kInUse;
  if (error.code == Code::kNotFound) error.code = Code::kGone;
  return error;
}

Status BlankWriter::Abort() {
  auto usable = CheckUse(ended_);
  if (!usable) return usable;
  ended_ = true;
  const auto session = session_.Current();
  const bool is_mapped = blank_.mapping.data() != nullptr;
  if (!session) {
    blank_.mapping = Mapping();
    return session.error();
  }
  if (is_mapped) {
    (*session)->blanks().PutBack(std::move(blank_));
  } else {
    (*session)->blanks().GiveBack(blank_.number);
  }
  return {};
}

}  // namespace vitrine
