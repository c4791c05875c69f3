// Times of repeated steps, printed as lines of JSON that benchmarks/run reads.
// Knows nothing of stores, and so compiles for every peer.
#ifndef VITRINE_BENCHMARKS_MEASURE_H_
#define VITRINE_BENCHMARKS_MEASURE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace vitrine {

// What the command line of a workload program says.
struct Settings {
  std::string workload;
  std::string peer;
  // Where the peer is: a socket, or a directory.
  std::string address;
  // For files: where new ones are made, and where those lie that are copied.
  std::string write_dir;
  std::string source_dir;
  // Process k of a workload runs on cpus[k % size]; empty: anywhere.
  std::vector<int> cpus;
  int repetitions = 7;
  // Short runs, for trying the harness.
  bool quick = false;
  // For put: the size of each object, and whether the store is fresh.
  uint64_t size_bytes = 1024;
  // For fill and scale: how many objects are in the store.
  uint64_t objects = 1000;
  // For crowd: pairs of a producer and a consumer, and what the store holds.
  int pairs = 1;
  uint64_t capacity_bytes = 0;
};

// Ends the program if the arguments make no sense.
Settings ParseSettings(int argc, char** argv);

// Pins the calling thread, and all that it starts, to the place of process
// `index`; anywhere if the settings say so.
void PinProcess(const Settings& settings, size_t index);

// Nanoseconds of a clock that all processes share.
int64_t NowNs();

double Median(std::vector<double> values);

// Touches and frees so much memory.  A virtual machine's host may have taken
// back what is free, and bringing it takes up to ten times as long as using
// it; that is not to hit the peer that happens to be the first.
void WarmMemory(uint64_t size_bytes);

// One figure: `values` has one number for each repetition.
struct Figure {
  std::string name;
  uint64_t size_bytes = 0;
  std::string unit;  // "ns", "GB/s", "1/s"
  std::vector<double> values;
};
void Print(const Settings& settings, const Figure& figure);

// Nanoseconds that each of the steps of `run(count)` takes, once for each
// repetition; `count` such that a repetition takes some 30 ms.
template <typename Run>
std::vector<double> TimeSteps(const Settings& settings, const Run& run) {
  const int64_t wanted_ns = settings.quick ? 3'000'000 : 30'000'000;
  const auto time = [&run](uint64_t count) {
    const int64_t start = NowNs();
    run(count);
    return NowNs() - start;
  };
  uint64_t count = 1;
  int64_t took_ns = time(count);
  while (took_ns < wanted_ns / 4) {
    count *= 4;
    took_ns = time(count);
  }
  count = 1 + static_cast<uint64_t>(static_cast<double>(count) *
                                    static_cast<double>(wanted_ns) /
                                    static_cast<double>(took_ns));
  std::vector<double> values;
  for (int i = 0; i < settings.repetitions; ++i) {
    values.push_back(static_cast<double>(time(count)) /
                     static_cast<double>(count));
  }
  return values;
}

// Keeps the compiler from dropping the work that made `value`.
template <typename T>
void Keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_MEASURE_H_
