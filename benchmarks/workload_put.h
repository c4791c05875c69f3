// The workload of putting objects of one size: into memory that was never
// used (the store is to be fresh), then where as many were deleted before.
#ifndef VITRINE_BENCHMARKS_WORKLOAD_PUT_H_
#define VITRINE_BENCHMARKS_WORKLOAD_PUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "benchmarks/measure.h"
#include "benchmarks/peer.h"
#include "benchmarks/workload_get.h"

namespace vitrine {

// How many objects one repetition puts: some milliseconds of work, and little
// enough that all repetitions fit into the store.
inline size_t PutsInOneRepetition(const Settings& settings) {
  const size_t bytes = settings.quick ? size_t{4} << 20 : size_t{64} << 20;
  return std::clamp<size_t>(bytes / settings.size_bytes, 1, 200);
}

// Two, where one takes a second.
inline bool IsHuge(const Settings& settings) {
  return settings.size_bytes > size_t{1} << 29;
}
inline int PutRepetitions(const Settings& settings) {
  return IsHuge(settings) ? std::min(settings.repetitions, 2)
                          : settings.repetitions;
}

// Puts all ids, one after the other; returns the time of each.
template <PutPeer P, typename PutOne>
double TimePuts(const std::vector<typename P::Id>& ids, const PutOne& put_one) {
  const int64_t start = NowNs();
  for (const auto& id : ids) put_one(id);
  return static_cast<double>(NowNs() - start) / static_cast<double>(ids.size());
}

// Puts without a delete between them, as the first that the store sees; then
// deletes all.
template <PutPeer P, typename PutOne>
std::vector<double> TimeFirstPuts(const Settings& settings, P& peer,
                                  const PutOne& put_one) {
  const size_t count = PutsInOneRepetition(settings);
  const auto repetitions = static_cast<size_t>(PutRepetitions(settings));
  WarmMemory(repetitions * count * settings.size_bytes);
  std::vector<double> values;
  for (size_t i = 0; i < repetitions; ++i) {
    values.push_back(TimePuts<P>(MakeIds<P>(i * count, count), put_one));
  }
  peer.Delete(MakeIds<P>(0, repetitions * count));
  return values;
}

template <PutPeer P, typename PutOne>
std::vector<double> TimeSteadyPuts(const Settings& settings, P& peer,
                                   const PutOne& put_one) {
  const size_t count = PutsInOneRepetition(settings);
  const auto ids = MakeIds<P>(0, count);
  std::vector<double> values;
  // The first rounds bring the steady state about.
  for (int i = IsHuge(settings) ? -1 : -2; i < PutRepetitions(settings); ++i) {
    const double value = TimePuts<P>(ids, put_one);
    peer.Delete(ids);
    if (i >= 0) values.push_back(value);
  }
  return values;
}

// Of as many as keep both sides busy.
template <PipelinedPutPeer P>
std::vector<double> TimePipelinedPuts(const Settings& settings, P& peer,
                                      std::span<const std::byte> bytes) {
  const auto ids = MakeIds<P>(0, settings.quick ? 1000 : 20'000);
  std::vector<double> values;
  for (int i = -1; i < settings.repetitions; ++i) {
    const int64_t start = NowNs();
    for (const auto& id : ids) peer.PutLater(id, bytes);
    peer.Flush();
    const double took_ns = static_cast<double>(NowNs() - start);
    peer.Delete(ids);
    if (i >= 0) values.push_back(took_ns / static_cast<double>(ids.size()));
  }
  return values;
}

template <PutPeer P>
void RunPut(const Settings& settings) {
  P peer(settings.address);
  std::vector<std::byte> source(settings.size_bytes, std::byte{42});
  const auto print = [&](const std::string& name, std::vector<double> values) {
    Print(settings, {name, settings.size_bytes, "ns", std::move(values)});
  };
  const auto by_steps = [&](const typename P::Id& id) {
    typename P::Pending pending = peer.Create(id, source.size());
    std::memcpy(P::Bytes(pending).data(), source.data(), source.size());
    peer.Seal(pending);
  };
  print("first", TimeFirstPuts(settings, peer, by_steps));
  print("steady", TimeSteadyPuts(settings, peer, by_steps));
  if constexpr (OneCallPutPeer<P>) {
    if (source.size() > P::kMaxOneCallPutBytes) return;
    const auto in_one_call = [&](const typename P::Id& id) {
      peer.Put(id, source);
    };
    print("steady, one call", TimeSteadyPuts(settings, peer, in_one_call));
  }
  if constexpr (PipelinedPutPeer<P>) {
    if (source.size() > P::kMaxPipelinedPutBytes) return;
    print("steady, pipelined", TimePipelinedPuts(settings, peer, source));
  }
}

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_WORKLOAD_PUT_H_
