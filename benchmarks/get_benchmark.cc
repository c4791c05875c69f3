// Getting objects through libvitrine, against the plain calls that do the same
// with a file.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "benchmarks/benchmark_store.h"
#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

constexpr uint64_t kMiB = 1024 * 1024;
constexpr size_t kObjectBytes = 4096;
constexpr size_t kFewObjects = 1000;
constexpr size_t kManyObjects = 20000;

// Everything that the benchmarks of this file share; made once, at first use.
struct Places {
  BenchmarkStore store{512 * kMiB, BenchmarkStore::WithMount::kNo};
  Client client = store.Connect();
  std::vector<ObjectId> ids;
  TempDir tmpfs{"/dev/shm"};
  std::string file = tmpfs.path() + "/file";

  Places() {
    const std::vector<std::byte> bytes(kObjectBytes);
    for (size_t i = 0; i < kManyObjects; ++i) {
      ids.push_back(OrDie(ObjectId::FromText("object" + std::to_string(i))));
      OrDie(client.Put(ids.back(), bytes));
    }
    std::ofstream(file) << std::string(kObjectBytes, 'x');
  }
};

Places& GetPlaces() {
  static Places places;
  return places;
}

// Gets the first `count` objects in turn.
void GetInTurn(benchmark::State& state, size_t count) {
  Places& places = GetPlaces();
  size_t next = 0;
  for (auto _ : state) {
    auto object = places.client.Get(places.ids[next]);
    if (!object) Die(object.error().ToString());
    benchmark::DoNotOptimize(object->bytes().data());
    if (++next == count) next = 0;
  }
}

// One object, again and again.
void BM_GetResident(benchmark::State& state) { GetInTurn(state, 1); }

// As many as have their mappings kept.
void BM_GetResidentOf1000(benchmark::State& state) {
  GetInTurn(state, kFewObjects);
}

// More than have their mappings kept: each get opens and maps.
void BM_GetNotMapped(benchmark::State& state) {
  GetInTurn(state, kManyObjects);
}

// The same object, by several threads of one process.
void BM_GetByThreads(benchmark::State& state) { GetInTurn(state, 1); }

void BM_GetAbsent(benchmark::State& state) {
  Places& places = GetPlaces();
  const ObjectId id = OrDie(ObjectId::FromText("absent"));
  for (auto _ : state) benchmark::DoNotOptimize(places.client.Get(id));
}

void BM_Contains(benchmark::State& state) {
  Places& places = GetPlaces();
  for (auto _ : state) {
    benchmark::DoNotOptimize(places.client.Contains(places.ids[0]));
  }
}

// A question that the store answers: what a get would cost if it asked.
void BM_Stat(benchmark::State& state) {
  Places& places = GetPlaces();
  for (auto _ : state) {
    benchmark::DoNotOptimize(places.client.Stat(places.ids[0]));
  }
}

// The baseline: a file on tmpfs.
void BM_OpenMapTmpfs(benchmark::State& state) {
  const std::string& path = GetPlaces().file;
  for (auto _ : state) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) Die(ErrnoError("open " + path, errno).ToString());
    const Mapping mapping =
        OrDie(Mapping::Map(fd.get(), kObjectBytes, PROT_READ));
    benchmark::DoNotOptimize(mapping.data());
  }
}

BENCHMARK(BM_GetResident)->UseRealTime();
BENCHMARK(BM_GetResidentOf1000)->UseRealTime();
BENCHMARK(BM_GetNotMapped)->UseRealTime();
BENCHMARK(BM_GetByThreads)->ThreadRange(1, 8)->UseRealTime();
BENCHMARK(BM_GetAbsent)->UseRealTime();
BENCHMARK(BM_Contains)->UseRealTime();
BENCHMARK(BM_Stat)->UseRealTime();
BENCHMARK(BM_OpenMapTmpfs)->UseRealTime();

}  // namespace
}  // namespace vitrine
