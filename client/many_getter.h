#ifndef VITRINE_CLIENT_MANY_GETTER_H_
#define VITRINE_CLIENT_MANY_GETTER_H_

#include <vitrine/client.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "client/base/deadline.h"
#include "client/client_impl.h"

namespace vitrine {

// One call of GetMany.  What is resident is got without a message.  Then it
// waits, in one of three ways:
//   few are missing          one Wait;
//   many, all are wanted     a Wait for each of their chunks, one after
//   another; many, some are wanted    for the events of the store, because no
//   Wait knows
//                            of more than a chunk.
// For one thread.
class ManyGetter {
 public:
  ManyGetter(ClientImpl* client, std::span<const ObjectId> ids,
             const Client::GetManyOptions& options);

  Result<std::vector<std::optional<Object>>> Run();

 private:
  struct Wanted {
    const ObjectId* id;
    std::optional<Object> object;
  };

  // Looks for what is missing in the index.
  Status Look();
  void PrefetchFrom(size_t first);
  // Waits for more; returns also when only some of it came.  False: it is time
  // to return what there is.
  Result<bool> WaitForMore();
  Result<bool> WaitForChunk(size_t need, Deadline deadline);
  Result<bool> WaitForEvents();
  // Next says how it ended; looks again after what may be of interest.
  Result<bool> FollowEvents(Subscription* events);
  Status LookAt(const ObjectId& id);
  // True if the store says that nobody creates one of the missing any more.
  Result<bool> IsOneGone();

  size_t StillNeeded() const { return need_ > found_ ? need_ - found_ : 0; }
  bool IsTimeUp() const { return RemainingMs(deadline_) == 0; }
  std::vector<std::string> MissingIds(size_t first, size_t limit) const;

  ClientImpl* const client_;
  const Client::GetManyOptions options_;
  const Deadline deadline_;
  std::vector<Wanted> wanted_;  // Distinct ids.
  std::vector<size_t> places_;  // Of each id asked for, in `wanted_`.
  size_t need_ = 0;
  size_t found_ = 0;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_MANY_GETTER_H_
