#ifndef VITRINE_CLIENT_WRITER_STATE_H_
#define VITRINE_CLIENT_WRITER_STATE_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "client/base/fork.h"

namespace vitrine {

// What a Writer does, which depends on where its object is being filled.  One
// thread at a time.  The destructor aborts the object unless it has ended.
class WriterState {
 public:
  WriterState() = default;
  WriterState(const WriterState&) = delete;
  WriterState& operator=(const WriterState&) = delete;
  virtual ~WriterState() = default;

  // As in Writer.
  virtual std::span<std::byte> bytes() = 0;
  virtual Status Seal() = 0;
  virtual Status SealLater() = 0;
  virtual Status Abort() = 0;

 protected:
  bool IsForked() const { return fork_generation_ != ForkGeneration(); }
  // kForked, or kInvalidArgument if the writer has `ended`.
  Status CheckUse(bool ended) const {
    if (IsForked()) {
      return Error{Code::kForked, "the writer is the parent process's"};
    }
    if (ended) return Error{Code::kInvalidArgument, "the writer has ended"};
    return {};
  }

 private:
  const uint64_t fork_generation_ = ForkGeneration();
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_WRITER_STATE_H_
