// Putting objects through libvitrine, against memcpy and against writing a
// file onto bare tmpfs with the same kind of pages.  Needs root, for the bare
// tmpfs.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "benchmarks/benchmark_store.h"
#include "benchmarks/measure.h"
#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

constexpr uint64_t kMiB = 1024 * 1024;
constexpr size_t kLargeBytes = 256 * kMiB;

// Everything that the benchmarks of this file share; made once, at first use.
struct Places {
  BenchmarkStore store{4096 * kMiB, BenchmarkStore::WithMount::kNo};
  Client client = store.Connect();
  std::string memory_dir = store.GetStatus().at("memory").at("directory");
  BareTmpfs tmpfs{memory_dir, 2048 * kMiB};
  std::vector<std::byte> source =
      std::vector<std::byte>(kLargeBytes, std::byte{42});
  ObjectId id = OrDie(ObjectId::FromText("object"));
};

Places& GetPlaces() {
  static Places places;
  return places;
}

void SetBytes(benchmark::State& state, size_t size_bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(size_bytes));
}

// Times `step` only, and undoes it outside the time.  Memory is there for it.
template <typename Step, typename Undo>
void RunSteps(benchmark::State& state, const Step& step, const Undo& undo) {
  WarmMemory(kLargeBytes);
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    step();
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    state.SetIterationTime(took.count());
    undo();
  }
}

void Put(benchmark::State& state, size_t size_bytes) {
  Places& places = GetPlaces();
  const std::span bytes(places.source.data(), size_bytes);
  RunSteps(
      state, [&] { OrDie(places.client.Put(places.id, bytes)); },
      [&] { OrDie(places.client.Delete(places.id)); });
  SetBytes(state, size_bytes);
}

void BM_PutLarge(benchmark::State& state) { Put(state, kLargeBytes); }

void BM_PutSmall(benchmark::State& state) {
  Put(state, static_cast<size_t>(state.range(0)));
}

// Create, copy into the mapping, seal; then delete: a whole life.
void BM_CreateSealDelete(benchmark::State& state) {
  Places& places = GetPlaces();
  const auto size_bytes = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    Writer writer = OrDie(places.client.Create(places.id, size_bytes));
    std::memcpy(writer.bytes().data(), places.source.data(), size_bytes);
    OrDie(writer.Seal());
    OrDie(places.client.Delete(places.id));
  }
  SetBytes(state, size_bytes);
}

// Between two buffers that are there already.
void BM_Memcpy(benchmark::State& state) {
  const Places& places = GetPlaces();
  std::vector<std::byte> target(kLargeBytes);
  for (auto _ : state) {
    std::memcpy(target.data(), places.source.data(), kLargeBytes);
    benchmark::ClobberMemory();
  }
  SetBytes(state, kLargeBytes);
}

void OpenNew(const std::string& path, UniqueFd* fd) {
  *fd = UniqueFd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd->valid()) Die(ErrnoError("create " + path, errno).ToString());
}

void Unlink(const std::string& path) {
  if (::unlink(path.c_str()) != 0) Die("unlink " + path);
}

// By write(2), as cp does.
void BM_WriteTmpfs(benchmark::State& state) {
  const Places& places = GetPlaces();
  const std::string path = places.tmpfs.path() + "/write";
  const auto step = [&] {
    UniqueFd fd;
    OpenNew(path, &fd);
    size_t done = 0;
    while (done < kLargeBytes) {
      const ssize_t wrote = ::write(fd.get(), places.source.data() + done,
                                    std::min(kMiB, kLargeBytes - done));
      if (wrote <= 0) Die(ErrnoError("write " + path, errno).ToString());
      done += static_cast<size_t>(wrote);
    }
  };
  RunSteps(state, step, [&] { Unlink(path); });
  SetBytes(state, kLargeBytes);
}

// Through a mapping of a file of the right size.
void BM_MapTmpfs(benchmark::State& state) {
  const Places& places = GetPlaces();
  const std::string path = places.tmpfs.path() + "/map";
  const auto step = [&] {
    UniqueFd fd;
    OpenNew(path, &fd);
    if (::ftruncate(fd.get(), kLargeBytes) != 0) Die("ftruncate " + path);
    const Mapping mapping =
        OrDie(Mapping::Map(fd.get(), kLargeBytes, PROT_READ | PROT_WRITE));
    std::memcpy(mapping.data(), places.source.data(), kLargeBytes);
  };
  RunSteps(state, step, [&] { Unlink(path); });
  SetBytes(state, kLargeBytes);
}

BENCHMARK(BM_PutLarge)->Iterations(4)->UseManualTime();
BENCHMARK(BM_Memcpy)->Iterations(4)->UseRealTime();
BENCHMARK(BM_WriteTmpfs)->Iterations(4)->UseManualTime();
BENCHMARK(BM_MapTmpfs)->Iterations(4)->UseManualTime();
BENCHMARK(BM_PutSmall)
    ->ArgName("object_bytes")
    ->Arg(1024)
    ->Arg(64 * 1024)
    ->UseManualTime();
BENCHMARK(BM_CreateSealDelete)
    ->ArgName("object_bytes")
    ->Arg(1024)
    ->Arg(64 * 1024)
    ->Arg(kMiB)
    ->Arg(16 * kMiB)
    ->UseRealTime();

}  // namespace
}  // namespace vitrine
