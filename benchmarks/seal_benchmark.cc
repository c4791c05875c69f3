// The seal of an ordinary user's object, with its copy and without, against
// memcpy.  Needs root, to become that user.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks/benchmark_store.h"
#include "benchmarks/measure.h"

namespace vitrine {
namespace {

constexpr uint64_t kMiB = 1024 * 1024;

// This process is an ordinary user while it lives.
class AsUser {
 public:
  AsUser() { Become(65534); }
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;
  ~AsUser() { Become(0); }

 private:
  static void Become(uid_t uid) {
    if (::seteuid(uid) != 0) DieOfErrno("seteuid");
  }
};

// A store, and a client that it does not trust.
struct Store {
  explicit Store(const std::string& copies)
      : store(3072 * kMiB, BenchmarkStore::WithMount::kNo,
              {"--seal-copy", copies}) {
    store.OpenToOthers();
    const AsUser user;
    client.emplace(store.Connect());
  }

  BenchmarkStore store;
  std::optional<Client> client;
  ObjectId id = OrDie(ObjectId::FromText("object"));
};

void SetBytes(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          state.range(0));
}

// Times the seal only.
void Seal(benchmark::State& state, Store& store) {
  const auto size_bytes = static_cast<size_t>(state.range(0));
  WarmMemory(2 * size_bytes);
  const AsUser user;
  for (auto _ : state) {
    Writer writer = OrDie(store.client->Create(store.id, size_bytes));
    std::memset(writer.bytes().data(), 42, size_bytes);
    const auto start = std::chrono::steady_clock::now();
    OrDie(writer.Seal());
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    state.SetIterationTime(took.count());
    OrDie(store.client->Delete(store.id));
  }
  SetBytes(state);
}

void BM_SealByUser(benchmark::State& state) {
  static Store store("auto");
  Seal(state, store);
}

void BM_SealWithoutCopy(benchmark::State& state) {
  static Store store("never");
  Seal(state, store);
}

// Between two buffers that are there already.
void BM_MemcpyOfSize(benchmark::State& state) {
  const auto size_bytes = static_cast<size_t>(state.range(0));
  const std::vector<std::byte> source(size_bytes, std::byte{42});
  std::vector<std::byte> target(size_bytes);
  for (auto _ : state) {
    std::memcpy(target.data(), source.data(), size_bytes);
    benchmark::ClobberMemory();
  }
  SetBytes(state);
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  for (const uint64_t mib : {1U, 16U, 256U, 1024U}) {
    benchmark->Arg(static_cast<int64_t>(mib * kMiB));
  }
  benchmark->Unit(benchmark::kMillisecond);
}

BENCHMARK(BM_SealByUser)->Apply(Sizes)->UseManualTime();
BENCHMARK(BM_SealWithoutCopy)->Apply(Sizes)->UseManualTime();
BENCHMARK(BM_MemcpyOfSize)->Apply(Sizes);

}  // namespace
}  // namespace vitrine
