// The workload of handing over: from the seal in one process until a get that
// was blocked returns in another.
#ifndef VITRINE_BENCHMARKS_WORKLOAD_HANDOVER_H_
#define VITRINE_BENCHMARKS_WORKLOAD_HANDOVER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "benchmarks/peer.h"
#include "benchmarks/processes.h"

namespace vitrine {

// What sealer and getter tell each other; zeros at the start.
struct HandoverPage {
  // How many gets the getter has begun, and how many have returned.
  std::atomic<uint64_t> begun;
  std::atomic<uint64_t> returned;
  std::atomic<int64_t> returned_at_ns;
};

template <WaitPeer P>
void GetEach(const Settings& settings, uint64_t count, HandoverPage* page) {
  PinProcess(settings, 1);
  P peer(settings.address);
  for (uint64_t i = 0; i < count; ++i) {
    const auto id = P::MakeId(i);
    page->begun.store(i + 1, std::memory_order_release);
    const auto held = peer.WaitFor(id, 10'000);
    page->returned_at_ns.store(NowNs(), std::memory_order_relaxed);
    if (!held) Die("an object did not come");
    page->returned.store(i + 1, std::memory_order_release);
  }
}

// Seals object `number` when the getter has been waiting for a while; returns
// how long it took until the getter had it.
template <WaitPeer P>
int64_t SealOne(const Settings& settings, P& peer, uint64_t number,
                HandoverPage* page) {
  const auto id = P::MakeId(number);
  auto pending = peer.Create(id, settings.size_bytes);
  WaitUntilAtLeast(page->begun, number + 1);
  SleepMicroseconds(300);  // Until it sleeps.
  const int64_t start = NowNs();
  peer.Seal(pending);
  WaitUntilAtLeast(page->returned, number + 1);
  const int64_t end = page->returned_at_ns.load(std::memory_order_relaxed);
  if constexpr (PutPeer<P>) peer.Delete(std::vector{id});
  return end - start;
}

// The same with a put in one call, which makes, fills and seals it.
template <OneCallPutPeer P>
int64_t PutOne(const Settings& settings, P& peer, uint64_t number,
               HandoverPage* page) {
  const auto id = P::MakeId(number);
  const std::vector<std::byte> bytes(settings.size_bytes);
  WaitUntilAtLeast(page->begun, number + 1);
  SleepMicroseconds(300);  // Until it sleeps.
  const int64_t start = NowNs();
  peer.Put(id, bytes);
  WaitUntilAtLeast(page->returned, number + 1);
  const int64_t end = page->returned_at_ns.load(std::memory_order_relaxed);
  peer.Delete(std::vector{id});
  return end - start;
}

// `hand_over` does one hand-over and says how long it took.
template <WaitPeer P>
void RunHandover(const Settings& settings, const char* what,
                 int64_t (*hand_over)(const Settings&, P&, uint64_t,
                                      HandoverPage*)) {
  const uint64_t in_one = settings.quick ? 30 : 200;
  const auto repetitions = static_cast<uint64_t>(settings.repetitions);
  auto* page = AllocateSharedArray<HandoverPage>(1);
  Processes processes;
  // One more repetition than is counted: the first warms up.
  processes.Start(
      [&] { GetEach<P>(settings, (repetitions + 1) * in_one, page); });
  P peer(settings.address);
  std::vector<double> values;
  uint64_t number = 0;
  for (uint64_t i = 0; i <= repetitions; ++i) {
    std::vector<double> times;
    for (uint64_t j = 0; j < in_one; ++j, ++number) {
      processes.CheckAlive();
      times.push_back(
          static_cast<double>(hand_over(settings, peer, number, page)));
    }
    if (i > 0) values.push_back(Median(times));
  }
  processes.WaitForAll();
  Print(settings, {what, settings.size_bytes, "ns", std::move(values)});
}

template <WaitPeer P>
void RunHandover(const Settings& settings) {
  RunHandover<P>(settings, "seal until a get returns", SealOne<P>);
  if constexpr (OneCallPutPeer<P>) {
    if (settings.size_bytes <= P::kMaxOneCallPutBytes) {
      RunHandover<P>(settings, "put until a get returns", PutOne<P>);
    }
  }
}

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_WORKLOAD_HANDOVER_H_
