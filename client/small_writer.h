// A small object that is filled in this process's memory and put whole.
#ifndef VITRINE_CLIENT_SMALL_WRITER_H_
#define VITRINE_CLIENT_SMALL_WRITER_H_

#include <vitrine/client.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "client/base/fork.h"
#include "client/writer_state.h"

namespace vitrine {

// The store knows nothing of the object before its seal.  So it survives the
// end of a session: it is put in the one that is current then.  It is kept
// until it is sealed or can never be.
class SmallWriter final : public WriterState {
 public:
  // kOutOfMemory: this process has none.
  static Result<std::unique_ptr<SmallWriter>> Make(
      std::weak_ptr<ClientImpl> client, const ObjectId& id, size_t size_bytes,
      const CreateOptions& options);

  std::span<std::byte> bytes() override;
  Status Seal() override;
  Status SealLater() override;
  Status Abort() override;

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  using Buffer = std::unique_ptr<std::byte, Free>;
  using PutFunction = Status (ClientImpl::*)(const ObjectId&,
                                             std::span<const std::byte>,
                                             const CreateOptions&);

  SmallWriter(std::weak_ptr<ClientImpl> client, ObjectId id, size_t size_bytes,
              CreateOptions options, Buffer buffer);

  Status PutBy(PutFunction put);

  const std::weak_ptr<ClientImpl> client_;
  const ObjectId id_;
  const size_t size_bytes_;
  const CreateOptions options_;
  Buffer buffer_;  // Null: the writer has ended.
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_SMALL_WRITER_H_
