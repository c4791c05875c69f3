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

// One call of GetMany.  Gets resident objects without a message.  Then waits
// for the missing ones, in one of three ways:
//   few are missing                  one Wait;
//   many, all of them are wanted     a Wait for each chunk, one after another;
//   many, some of them are wanted    for the store's events, because a Wait
//                                    takes no more than a chunk.
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

  // Looks for the missing objects in the index.
  Status Look();
  void PrefetchFrom(size_t first);
  // Waits for more objects; may return when only some of them came.  False:
  // GetMany has to return now.
  Result<bool> WaitForMore();
  Result<bool> WaitForChunk(size_t need, Deadline deadline);
  Result<bool> WaitForEvents();
  // Waits for events, and looks again after those that may concern a missing
  // object.  Returns as WaitForMore does.
  Result<bool> FollowEvents(Subscription* events);
  Status LookAt(const ObjectId& id);
  // True if the store says that no client creates one of the missing any more.
  Result<bool> IsOneGone();

  size_t StillNeeded() const { return need_ > found_ ? need_ - found_ : 0; }
  bool IsTimeUp() const { return RemainingMs(deadline_) == 0; }
  std::vector<std::string> MissingIds(size_t first, size_t limit) const;

  ClientImpl* const client_;
  const Client::GetManyOptions options_;
  const Deadline deadline_;
  const Deadline back_by_;      // For objects that are elsewhere.
  std::vector<Wanted> wanted_;  // Distinct ids.
  std::vector<size_t> places_;  // Of each id asked for, in `wanted_`.
  size_t need_ = 0;
  size_t found_ = 0;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_MANY_GETTER_H_
