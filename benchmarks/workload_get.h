// The workloads of getting: an object that this client holds already, one
// that it has got before, one that was just sealed by another client, and
// many at once.  Each get lets go of its object again.
#ifndef VITRINE_BENCHMARKS_WORKLOAD_GET_H_
#define VITRINE_BENCHMARKS_WORKLOAD_GET_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "benchmarks/peer.h"

namespace vitrine {

// How many objects a repetition gets: `most`, but no more than 64 MiB of them.
inline size_t GetsInOneRepetition(const Settings& settings, size_t most) {
  return std::clamp<size_t>((size_t{64} << 20) / settings.size_bytes, 1, most);
}

template <PutPeer P>
std::vector<typename P::Id> MakeIds(uint64_t first, size_t count) {
  std::vector<typename P::Id> ids;
  ids.reserve(count);
  for (size_t i = 0; i < count; ++i) ids.push_back(P::MakeId(first + i));
  return ids;
}

template <PutPeer P>
void CreateCopySeal(P& peer, const typename P::Id& id,
                    std::span<const std::byte> bytes) {
  typename P::Pending pending = peer.Create(id, bytes.size());
  std::copy(bytes.begin(), bytes.end(), P::Bytes(pending).begin());
  peer.Seal(pending);
}

template <PutPeer P>
void PutAll(P& peer, const std::vector<typename P::Id>& ids,
            size_t size_bytes) {
  const std::vector<std::byte> bytes(size_bytes, std::byte{42});
  for (const auto& id : ids) CreateCopySeal<P>(peer, id, bytes);
}

template <GetPeer P>
void GetOrDie(P& peer, const typename P::Id& id) {
  const typename P::Held held = peer.Get(id);
  if (!held) Die("an object is missing");
  Keep(P::View(held).data());
}

// Gets `ids` in turn, after one get of each before the clock; returns the time
// of each.
template <GetPeer P>
std::vector<double> TimeGets(const Settings& settings, P& peer,
                             const std::vector<typename P::Id>& ids) {
  for (const auto& id : ids) GetOrDie(peer, id);
  size_t next = 0;
  return TimeSteps(settings, [&](uint64_t count) {
    for (; count > 0; --count) {
      GetOrDie(peer, ids[next]);
      if (++next == ids.size()) next = 0;
    }
  });
}

// The first get of each of up to 100 objects that another client has just
// sealed.
template <GetPeer P>
std::vector<double> TimeJustSealed(const Settings& settings, P& peer,
                                   uint64_t first_id) {
  const size_t count = GetsInOneRepetition(settings, 100);
  P writer(settings.address);
  std::vector<double> values;
  // The first round wakes everything up.
  for (int i = 0; i <= settings.repetitions; ++i) {
    const auto ids =
        MakeIds<P>(first_id + static_cast<uint64_t>(i) * count, count);
    PutAll(writer, ids, settings.size_bytes);
    const int64_t start = NowNs();
    for (const auto& id : ids) GetOrDie(peer, id);
    const double took_ns = static_cast<double>(NowNs() - start);
    if (i > 0) values.push_back(took_ns / static_cast<double>(count));
    writer.Delete(ids);
  }
  return values;
}

// For each object of those that one call gets.
template <GetPeer P>
std::vector<double> TimeGetMany(const Settings& settings, P& peer,
                                const std::vector<typename P::Id>& ids) {
  std::vector<typename P::Held> many;
  std::vector<double> values = TimeSteps(settings, [&](uint64_t count) {
    for (; count > 0; --count) {
      many.clear();
      peer.GetMany(ids, &many);
      for (const auto& held : many) {
        if (!held) Die("an object is missing");
      }
    }
  });
  for (double& value : values) value /= static_cast<double>(ids.size());
  return values;
}

template <GetPeer P>
void RunGet(const Settings& settings) {
  const size_t count = GetsInOneRepetition(settings, 1000);
  P peer(settings.address);
  const auto ids = MakeIds<P>(0, count);
  PutAll(peer, ids, settings.size_bytes);
  const auto print = [&](const std::string& name, std::vector<double> values) {
    Print(settings, {name, settings.size_bytes, "ns", std::move(values)});
  };
  {
    const auto held = peer.Get(ids[0]);
    print("held", TimeGets(settings, peer, {ids[0]}));
  }
  print("resident", TimeGets(settings, peer, ids));
  print("just sealed", TimeJustSealed(settings, peer, count));
  print(std::to_string(count) + " in one call, each",
        TimeGetMany(settings, peer, ids));
  peer.Delete(ids);
}

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_WORKLOAD_GET_H_
