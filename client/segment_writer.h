// An object that is filled in a segment of its own, which the store made.
#ifndef VITRINE_CLIENT_SEGMENT_WRITER_H_
#define VITRINE_CLIENT_SEGMENT_WRITER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "client/client_impl.h"
#include "client/session.h"
#include "client/writer_session.h"
#include "client/writer_state.h"
#include "schema/base/mapping.h"

namespace vitrine {

class SegmentWriter final : public WriterState {
 public:
  SegmentWriter(std::weak_ptr<ClientImpl> owner,
                std::weak_ptr<Session> in_session, uint64_t object_number,
                uint64_t forks_before)
      : session_(std::move(owner), std::move(in_session), forks_before),
        number_(object_number) {}
  ~SegmentWriter() override;

  // Maps the segment behind the writable descriptor `fd`.
  Status Map(const PrivateFd& fd, uint64_t size_bytes);
  std::span<std::byte> bytes() override;
  Status Seal() override;
  Status SealLater() override { return Seal(); }
  Status Abort() override;

 private:
  Status SealOnce();

  const WriterSession session_;
  const uint64_t number_;
  Mapping mapping_;
  uint64_t size_bytes_ = 0;
  bool ended_ = false;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_SEGMENT_WRITER_H_
