// The mount against bare tmpfs with the same kind of pages.  Needs root, for
// the bare tmpfs.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "benchmarks/benchmark_store.h"
#include "benchmarks/measure.h"
#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

constexpr uint64_t kMiB = 1024 * 1024;
constexpr uint64_t kReadBytes = 256 * kMiB;
constexpr uint64_t kCopyBytes = 1024 * kMiB;

// Everything that the benchmarks of this file share; made once, at first use.
struct Places {
  BenchmarkStore store{4 * kCopyBytes, BenchmarkStore::WithMount::kYes};
  std::string sealed = store.mount_path() + "/sealed/";
  std::string unsealed = store.mount_path() + "/unsealed/";
  std::string memory_dir = store.GetStatus().at("memory").at("directory");
  BareTmpfs tmpfs{memory_dir, 2 * kCopyBytes};
  BareTmpfs source_tmpfs{memory_dir, 2 * kCopyBytes};
  std::string source = source_tmpfs.path() + "/source";

  Places() {
    WriteFile(source, kCopyBytes);
    WriteFile(tmpfs.path() + "/read", kReadBytes);
    WriteFile(unsealed + "read", kReadBytes);
    std::filesystem::rename(unsealed + "read", sealed + "read");
  }
};

Places& GetPlaces() {
  static Places places;
  return places;
}

uint64_t Sum(const Mapping& mapping) {
  constexpr size_t kLanes = 8;
  std::array<uint64_t, kLanes> sums{};
  const auto* words = reinterpret_cast<const uint64_t*>(mapping.data());
  const size_t count = mapping.size_bytes() / sizeof(uint64_t);
  for (size_t i = 0; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += words[i + lane];
  }
  uint64_t sum = 0;
  for (const uint64_t lane : sums) sum += lane;
  return sum;
}

// Open, map, read every byte, unmap, close.
void OpenMapAndReadAll(benchmark::State& state, const std::string& path) {
  for (auto _ : state) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) Die(ErrnoError("open " + path, errno).ToString());
    const Mapping mapping =
        OrDie(Mapping::Map(fd.get(), kReadBytes, PROT_READ));
    benchmark::DoNotOptimize(Sum(mapping));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(kReadBytes));
}

void BM_ReadAllMount(benchmark::State& state) {
  OpenMapAndReadAll(state, GetPlaces().sealed + "read");
}

void BM_ReadAllTmpfs(benchmark::State& state) {
  OpenMapAndReadAll(state, GetPlaces().tmpfs.path() + "/read");
}

enum class Over : uint8_t { kNothing, kItself };

// One `cp`, into a new file or once more over that; what it made is removed
// outside the time.
void Copy(benchmark::State& state, const std::string& to, Over over) {
  const Places& places = GetPlaces();
  for (auto _ : state) {
    WarmMemory(kCopyBytes);
    if (over == Over::kItself) RunProgram({"cp", places.source, to});
    const auto start = std::chrono::steady_clock::now();
    RunProgram({"cp", places.source, to});
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    state.SetIterationTime(took.count());
    std::filesystem::remove(to);
    places.store.WaitUntilFree(2 * kCopyBytes);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(kCopyBytes));
}

void BM_CopyMount(benchmark::State& state) {
  Copy(state, GetPlaces().unsealed + "copy", Over::kNothing);
}

void BM_CopyTmpfs(benchmark::State& state) {
  Copy(state, GetPlaces().tmpfs.path() + "/copy", Over::kNothing);
}

void BM_CopyOverMount(benchmark::State& state) {
  Copy(state, GetPlaces().unsealed + "copy", Over::kItself);
}

void BM_CopyOverTmpfs(benchmark::State& state) {
  Copy(state, GetPlaces().tmpfs.path() + "/copy", Over::kItself);
}

uint64_t CountRequests() {
  uint64_t sum = 0;
  for (const auto& count : GetPlaces().store.GetStatus()["mount"]["requests"]) {
    sum += count.get<uint64_t>();
  }
  return sum;
}

// How many requests reach the store for each stat of a sealed object.
void BM_StatSealed(benchmark::State& state) {
  const std::string path = GetPlaces().sealed + "read";
  struct stat unused;
  if (::stat(path.c_str(), &unused) != 0) Die("stat " + path);
  const uint64_t before = CountRequests();
  for (auto _ : state) benchmark::DoNotOptimize(::stat(path.c_str(), &unused));
  state.counters["requests_per_stat"] =
      static_cast<double>(CountRequests() - before) /
      static_cast<double>(state.iterations());
}

void BM_StatTmpfs(benchmark::State& state) {
  const std::string path = GetPlaces().tmpfs.path() + "/read";
  struct stat unused;
  for (auto _ : state) benchmark::DoNotOptimize(::stat(path.c_str(), &unused));
}

BENCHMARK(BM_ReadAllMount)->Iterations(4)->UseRealTime();
BENCHMARK(BM_ReadAllTmpfs)->Iterations(4)->UseRealTime();
BENCHMARK(BM_CopyMount)->Iterations(1)->UseManualTime();
BENCHMARK(BM_CopyTmpfs)->Iterations(1)->UseManualTime();
BENCHMARK(BM_CopyOverMount)->Iterations(1)->UseManualTime();
BENCHMARK(BM_CopyOverTmpfs)->Iterations(1)->UseManualTime();
BENCHMARK(BM_StatSealed)->UseRealTime();
BENCHMARK(BM_StatTmpfs)->UseRealTime();

}  // namespace
}  // namespace vitrine
