// The workload of a crowd: pairs of a producer and a consumer, each a process,
// with objects of 100 bytes to 4 MiB, more of them than the store holds.
// A consumer reads every byte of what its producer sealed, in order; it skips
// what was evicted before it came.
#ifndef VITRINE_BENCHMARKS_WORKLOAD_CROWD_H_
#define VITRINE_BENCHMARKS_WORKLOAD_CROWD_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "benchmarks/peer.h"
#include "benchmarks/processes.h"

namespace vitrine {

// What the processes of one pair say; zeros at the start.
struct alignas(64) CrowdPage {
  std::atomic<uint64_t> sealed;
  std::atomic<uint64_t> sealed_bytes;
  std::atomic<uint64_t> read;
  std::atomic<uint64_t> connected;
};

// For all processes; zeros at the start.
struct CrowdStart {
  std::atomic<uint64_t> go;
  std::atomic<int64_t> end_ns;
};

// Half of the objects are small; a tenth of them has most of the bytes.
inline size_t CrowdSize(uint64_t number) {
  constexpr std::array<size_t, 10> kSizes = {
      100, 1000,      500,        64 * 1024, 4 * 1024,
      200, 16 * 1024, 256 * 1024, 1 << 20,   4 << 20};
  return kSizes[(number * 7 + number / 10) % kSizes.size()];
}

inline std::byte CrowdByte(uint64_t id) {
  return static_cast<std::byte>(id * 31 + 1);
}

// Of pair `pair`; no two are alike in one store, whatever the run.
inline uint64_t CrowdId(uint64_t run, uint64_t pair, uint64_t number) {
  return ((run * 64 + pair) << 32) + number;
}

inline bool TimeIsOver(const CrowdStart& start) {
  return NowNs() >= start.end_ns.load(std::memory_order_relaxed);
}

template <GetPeer P>
void Produce(P& peer, uint64_t run, uint64_t pair, const CrowdStart& start,
             CrowdPage* page) {
  for (uint64_t i = 0; !TimeIsOver(start); ++i) {
    const uint64_t id = CrowdId(run, pair, i);
    auto pending = peer.Create(P::MakeId(id), CrowdSize(i));
    const std::span<std::byte> bytes = P::Bytes(pending);
    std::memset(bytes.data(), static_cast<int>(CrowdByte(id)), bytes.size());
    peer.Seal(pending);
    page->sealed_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    page->sealed.store(i + 1, std::memory_order_release);
  }
}

inline void CheckCrowdBytes(std::span<const std::byte> bytes, uint64_t id,
                            uint64_t number) {
  if (bytes.size() != CrowdSize(number)) Die("an object of a wrong size");
  // All bytes are the first one, and that is the right one.
  if (bytes[0] != CrowdByte(id) ||
      std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) != 0) {
    Die("an object with wrong bytes");
  }
}

template <GetPeer P>
void Consume(P& peer, uint64_t run, uint64_t pair, const CrowdStart& start,
             CrowdPage* page) {
  for (uint64_t i = 0; !TimeIsOver(start);) {
    const uint64_t id = CrowdId(run, pair, i);
    const auto held = peer.WaitFor(P::MakeId(id), 20);
    if (held) {
      CheckCrowdBytes(P::View(held), id, i);
      page->read.fetch_add(1, std::memory_order_relaxed);
      ++i;
    } else {
      // Evicted, if it was sealed at all: what comes next is surely there.
      i = std::max(i, page->sealed.load(std::memory_order_acquire));
    }
  }
}

template <GetPeer P>
void StartCrowd(const Settings& settings, uint64_t run, CrowdStart* start,
                CrowdPage* pages, Processes* processes) {
  for (size_t pair = 0; pair < static_cast<size_t>(settings.pairs); ++pair) {
    CrowdPage* page = &pages[pair];
    const auto take_part = [&settings, start, page](size_t index, auto act) {
      PinProcess(settings, index);
      P peer(settings.address);
      page->connected.fetch_add(1, std::memory_order_release);
      WaitUntilAtLeast(start->go, 1);
      act(peer);
    };
    processes->Start([&] {
      take_part(2 * pair,
                [&](P& peer) { Produce<P>(peer, run, pair, *start, page); });
    });
    processes->Start([&] {
      take_part(2 * pair + 1,
                [&](P& peer) { Consume<P>(peer, run, pair, *start, page); });
    });
  }
}

struct CrowdSums {
  double seconds = 0;
  double sealed = 0;
  double sealed_bytes = 0;
  double read = 0;
};

template <GetPeer P>
CrowdSums RunOneCrowd(const Settings& settings, uint64_t run) {
  const auto pairs = static_cast<size_t>(settings.pairs);
  auto* start = AllocateSharedArray<CrowdStart>(1);
  auto* pages = AllocateSharedArray<CrowdPage>(pairs);
  Processes processes;
  StartCrowd<P>(settings, run, start, pages, &processes);
  for (size_t i = 0; i < pairs; ++i) WaitUntilAtLeast(pages[i].connected, 2);
  const int64_t begin_ns = NowNs();
  start->end_ns.store(begin_ns + (settings.quick ? 200'000'000 : 800'000'000));
  start->go.store(1, std::memory_order_release);
  processes.WaitForAll();
  CrowdSums sums;
  sums.seconds = static_cast<double>(NowNs() - begin_ns) / 1e9;
  for (size_t i = 0; i < pairs; ++i) {
    sums.sealed += static_cast<double>(pages[i].sealed);
    sums.sealed_bytes += static_cast<double>(pages[i].sealed_bytes);
    sums.read += static_cast<double>(pages[i].read);
  }
  return sums;
}

template <GetPeer P>
requires WaitPeer<P>
void RunCrowd(const Settings& settings) {
  std::vector<double> sealed, gigabytes, read;
  uint64_t run = 0;
  // Until the store is full, so that whatever is measured evicts.
  double filled_bytes = 0;
  while (filled_bytes < 1.25 * static_cast<double>(settings.capacity_bytes)) {
    if (run == 50) Die("the store cannot be filled");
    filled_bytes += RunOneCrowd<P>(settings, run++).sealed_bytes;
  }
  for (int i = 0; i < std::min(settings.repetitions, 3); ++i) {
    const CrowdSums sums = RunOneCrowd<P>(settings, run++);
    sealed.push_back(sums.sealed / sums.seconds);
    gigabytes.push_back(sums.sealed_bytes / 1e9 / sums.seconds);
    read.push_back(sums.read / sums.seconds);
  }
  Print(settings, {"objects sealed", 0, "1/s", sealed});
  Print(settings, {"bytes sealed", 0, "GB/s", gigabytes});
  Print(settings, {"objects read", 0, "1/s", read});
}

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_WORKLOAD_CROWD_H_
