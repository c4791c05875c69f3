// An object that is filled in a blank, which the client had ahead.
#ifndef VITRINE_CLIENT_BLANK_WRITER_H_
#define VITRINE_CLIENT_BLANK_WRITER_H_

#include <vitrine/client.h>

#include <cstdint>
#include <memory>
#include <span>

#include "client/ring/blank_stock.h"
#include "client/ring/ring_writer.h"
#include "client/writer_session.h"
#include "client/writer_state.h"

namespace vitrine {

// The store learns of the object when it is sealed.
class BlankWriter final : public WriterState {
 public:
  // `metadata` takes at most kMaxRecordMetadataBytes.
  BlankWriter(std::weak_ptr<ClientImpl> client, std::weak_ptr<Session> session,
              ObjectId id, uint64_t size_bytes, Metadata metadata, Blank blank);
  ~BlankWriter() override;

  std::span<std::byte> bytes() override;
  Status Seal() override;
  // Waits if a child of this process may still have the blank open.
  Status SealLater() override;
  Status Abort() override;

 private:
  using Submit = Status (RingWriter::*)(const SealedBlank&);

  Status SealBy(Submit submit, bool keep_if_in_use);
  // Through the ring, or by message where it would wait there for others.
  Status Send(Session* session, Submit submit, bool keep_if_in_use) const;

  const WriterSession session_;
  const ObjectId id_;
  const uint64_t size_bytes_;
  const Metadata metadata_;
  Blank blank_;  // Not mapped once a seal was tried.
  bool ended_ = false;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_BLANK_WRITER_H_
