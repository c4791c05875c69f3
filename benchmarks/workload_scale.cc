#include "benchmarks/workload_scale.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "benchmarks/die.h"
#include "benchmarks/vitrine_peer.h"
#include "benchmarks/workload_get.h"
#include "benchmarks/workload_put.h"

namespace vitrine {
namespace {

// Beyond all that the other workloads use.
constexpr uint64_t kFirstId = uint64_t{1} << 50;

// As many, of none of which there is an object.
constexpr uint64_t kFirstAbsentId = kFirstId + (uint64_t{1} << 40);

// `count` ids from number `first` on, in the order of their use: to read them
// must not cost a cache miss of its own.
std::vector<VitrinePeer::Id> MakeIdsAtRandom(uint64_t first, uint64_t count) {
  std::vector<uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(42));
  std::vector<VitrinePeer::Id> ids;
  ids.reserve(count);
  for (const uint64_t number : numbers) {
    ids.push_back(VitrinePeer::MakeId(number));
  }
  return ids;
}

// Asks for `ids` in turn, of which there is none.
std::vector<double> TimeAbsent(const Settings& settings, VitrinePeer& peer,
                               const std::vector<VitrinePeer::Id>& ids) {
  size_t next = 0;
  return TimeSteps(settings, [&](uint64_t count) {
    for (; count > 0; --count) {
      const auto contains = peer.client().Contains(ids[next]);
      if (!contains) Die(contains.error().ToString());
      if (*contains) Die("an object is there that was never put");
      if (++next == ids.size()) next = 0;
    }
  });
}

}  // namespace

void RunFill(const Settings& settings) {
  VitrinePeer peer(settings.address);
  const std::vector<std::byte> bytes(settings.size_bytes, std::byte{42});
  const int64_t start = NowNs();
  for (uint64_t i = 0; i < settings.objects; ++i) {
    peer.Put(VitrinePeer::MakeId(kFirstId + i), bytes);
  }
  const double each = static_cast<double>(NowNs() - start) /
                      static_cast<double>(settings.objects);
  Print(settings, {"put of all, each", settings.size_bytes, "ns", {each}});
}

void RunScale(const Settings& settings) {
  VitrinePeer peer(settings.address);
  const auto ids = MakeIdsAtRandom(kFirstId, settings.objects);
  const auto print = [&](const std::string& name, const std::string& unit,
                         std::vector<double> values) {
    Print(settings, {name, settings.size_bytes, unit, std::move(values)});
  };
  print("get of the same 1000", "ns",
        TimeGets(settings, peer,
                 {ids.begin(), ids.begin() + std::min<std::ptrdiff_t>(
                                                 1000, std::ssize(ids))}));
  print("get at random of all", "ns", TimeGets(settings, peer, ids));
  print("look for what is absent, at random", "ns",
        TimeAbsent(settings, peer,
                   MakeIdsAtRandom(kFirstAbsentId, settings.objects)));
  std::vector<double> lists;
  for (int i = 0; i < std::min(settings.repetitions, 3); ++i) {
    const int64_t start = NowNs();
    const auto objects = peer.client().List();
    if (!objects) Die(objects.error().ToString());
    if (objects->size() < settings.objects) Die("objects are missing");
    lists.push_back(static_cast<double>(NowNs() - start));
  }
  print("list of all", "ns", lists);
}

}  // namespace vitrine
