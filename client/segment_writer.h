// An object that is filled in a segment of its own, which the store made.
#ifndef VITRINE_CLIENT_SEGMENT_WRITER_H_
#define VITRINE_CLIENT_SEGMENT_WRITER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "client/client_impl.h"
#include "client/session.h"
#include "client/writer_state.h"
#include "schema/base/mapping.h"

namespace vitrine {

class SegmentWriter final : public WriterState {
 public:
  SegmentWriter(std::weak_ptr<ClientImpl> owner,
                std::weak_ptr<Session> in_session, uint64_t object_number,
                uint64_t forks_before)
      : client_(std::move(owner)),
        session_(std::move(in_session)),
        number_(object_number),
        forks_before_(forks_before) {}
  ~SegmentWriter() override;

  // Maps the segment behind the writable descriptor `fd`.
  Status Map(const PrivateFd& fd, uint64_t size_bytes);
  std::span<std::byte> bytes() override;
  Status Seal() override;
  Status SealLater() override { return Seal(); }
  Status Abort() override;

 private:
  // The session that created the object, if it is still the current one.
  Result<std::shared_ptr<Session>> CurrentSession() const;
  Status SealOnce();

  std::weak_ptr<ClientImpl> client_;
  std::weak_ptr<Session> session_;
  uint64_t number_;
  uint64_t forks_before_;  // ForksBegun before the descriptor was there.
  Mapping mapping_;
  uint64_t size_bytes_ = 0;
  bool ended_ = false;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_SEGMENT_WRITER_H_
