// A store of immutable objects as the workloads see it; each peer is a class
// that has this shape.  A template parameter and not a base class, so that a
// get of 100 ns is measured and not a virtual call.
//
// A failure ends the program.  One thread at a time.
#ifndef VITRINE_BENCHMARKS_PEER_H_
#define VITRINE_BENCHMARKS_PEER_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vitrine {

// Objects can be put and deleted.
//   Put      create, copy and seal, by the shortest way that the peer has.
//   Create   reserves room, waiting for it; Bytes is where to write.
//   Seal     publishes; the writer lets go of the object.
//   Delete   the memory may be used again when it returns.
template <typename P>
concept PutPeer = requires(P peer, const typename P::Id& id,
                           typename P::Pending& pending,
                           std::span<const std::byte> bytes,
                           std::span<const typename P::Id> ids) {
  requires std::constructible_from<P, const std::string&>;
  { P::MakeId(uint64_t{}) } -> std::same_as<typename P::Id>;
  { peer.Create(id, size_t{}) } -> std::same_as<typename P::Pending>;
  { P::Bytes(pending) } -> std::same_as<std::span<std::byte>>;
  peer.Seal(pending);
  peer.Delete(ids);
};

// It has a call that does all of a put.
template <typename P>
concept OneCallPutPeer = PutPeer<P> &&
    requires(P peer, const typename P::Id& id,
             std::span<const std::byte> bytes) {
  { P::kMaxOneCallPutBytes } -> std::convertible_to<size_t>;
  peer.Put(id, bytes);
};

// It can put without waiting for each.
//   PutLater  queues a put of at most kMaxPipelinedPutBytes.
//   Flush     returns when all of them are sealed.
template <typename P>
concept PipelinedPutPeer = PutPeer<P> &&
    requires(P peer, const typename P::Id& id,
             std::span<const std::byte> bytes) {
  { P::kMaxPipelinedPutBytes } -> std::convertible_to<size_t>;
  peer.PutLater(id, bytes);
  peer.Flush();
};

// Objects can be got too.  `Held` keeps one for as long as it lives; false if
// there was none.
template <typename P>
concept GetPeer = PutPeer<P> &&
    requires(P peer, const typename P::Id& id, const typename P::Held& held,
             std::span<const typename P::Id> ids,
             std::vector<typename P::Held>* many) {
  { peer.Get(id) } -> std::same_as<typename P::Held>;
  peer.GetMany(ids, many);
  { P::View(held) } -> std::same_as<std::span<const std::byte>>;
  {static_cast<bool>(held)};
};

// A get can wait until the object is sealed.
template <typename P>
concept WaitPeer = requires(P peer, const typename P::Id& id,
                            typename P::Pending& pending) {
  requires std::constructible_from<P, const std::string&>;
  { P::MakeId(uint64_t{}) } -> std::same_as<typename P::Id>;
  { peer.Create(id, size_t{}) } -> std::same_as<typename P::Pending>;
  peer.Seal(pending);
  {peer.WaitFor(id, /*timeout_ms=*/int64_t{})};
};

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_PEER_H_
