#include "store/tiers/carrier.h"

#include <spdlog/spdlog.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/base/mutex.h"

namespace vitrine::store {
namespace {

using Victim = Eviction::Victim;

constexpr size_t kHelpers = 2;
constexpr uint64_t kLargeVictimBytes = uint64_t{8} << 20;
constexpr uint64_t kGroupBytes = uint64_t{64} << 20;
constexpr uint64_t kMostBytesInFlight = uint64_t{256} << 20;

// Victims that go together.
struct Group {
  uint64_t bytes = 0;
  std::vector<Victim*> victims = {};
};

std::vector<Group> MakeGroups(std::vector<Victim>* victims) {
  std::vector<Group> groups;
  Group small;
  for (Victim& victim : *victims) {
    if (victim.bytes >= kLargeVictimBytes) {
      groups.push_back({victim.bytes, {&victim}});
      continue;
    }
    if (small.bytes + victim.bytes > kGroupBytes) {
      groups.push_back(std::exchange(small, {}));
    }
    small.bytes += victim.bytes;
    small.victims.push_back(&victim);
  }
  if (!small.victims.empty()) groups.push_back(std::move(small));
  return groups;
}

// The loads of some victims, and the memory that they are in.
struct Cargo {
  std::vector<Mapping> memory;
  std::vector<Tier::Load> loads;
};

// The objects are somewhere in the segment, which is mapped as a whole: what is
// not read takes no memory.
Status Load(const Victim& victim, Cargo* cargo) {
  auto extent = victim.file->Stat();
  if (!extent) return extent.error();
  auto memory = Mapping::Map(victim.file->fd(), extent->size_bytes, PROT_READ);
  if (!memory) return memory.error();
  std::vector<Tier::Load> loads;
  for (const auto& [info, metadata] : victim.contents) {
    if (info.copied) continue;
    if (info.offset_bytes > extent->size_bytes ||
        info.size_bytes > extent->size_bytes - info.offset_bytes) {
      return Error{Code::kCorruption, "an object beyond the end of its slab"};
    }
    loads.push_back({info,
                     metadata,
                     {memory->data() + info.offset_bytes, info.size_bytes}});
  }
  cargo->loads.insert(cargo->loads.end(), loads.begin(), loads.end());
  cargo->memory.push_back(*std::move(memory));
  return Status();
}

// What became of a group.
struct Outcome {
  bool tier_failed = false;
  Status status = {};
};

// One that cannot be read stays; it keeps no other one.
Outcome CarryGroup(Tier* tier, const Group& group) {
  Cargo cargo;
  Outcome outcome;
  std::vector<Victim*> loaded;
  for (Victim* const victim : group.victims) {
    Status ok = Load(*victim, &cargo);
    if (ok) {
      loaded.push_back(victim);
    } else {
      outcome.status = std::move(ok);
    }
  }
  const Status put = cargo.loads.empty() ? Status() : tier->Put(cargo.loads);
  if (!put) return {true, put};
  for (Victim* const victim : loaded) victim->carried = true;
  return outcome;
}

// All groups of one departure.  Thread-safe.
class Trip {
 public:
  Trip(Tier* tier, std::vector<Group> groups)
      : tier_(tier), groups_(std::move(groups)) {}

  // Carries groups until none is left.
  void Work() EXCLUDES(mutex_) {
    while (const Group* const group = Begin()) {
      End(*group, CarryGroup(tier_, *group));
    }
  }

  // Waits until all that has begun has ended; the first failure.
  Status Wait() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (under_way_ > 0) changed_.Wait(mutex_);
    return status_;
  }

 private:
  bool MayBegin(const Group& group) const REQUIRES(mutex_) {
    return under_way_ == 0 ||
           bytes_in_flight_ + group.bytes <= kMostBytesInFlight;
  }

  // Null: there is nothing more to do.
  const Group* Begin() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (!HasEnded() && !MayBegin(groups_[next_])) changed_.Wait(mutex_);
    if (HasEnded()) return nullptr;
    const Group& group = groups_[next_++];
    ++under_way_;
    bytes_in_flight_ += group.bytes;
    return &group;
  }

  bool HasEnded() const REQUIRES(mutex_) {
    return tier_failed_ || next_ == groups_.size();
  }

  void End(const Group& group, const Outcome& outcome) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    --under_way_;
    bytes_in_flight_ -= group.bytes;
    tier_failed_ = tier_failed_ || outcome.tier_failed;
    if (status_) status_ = outcome.status;
    changed_.NotifyAll();
  }

  Tier* const tier_;
  const std::vector<Group> groups_;

  Mutex mutex_;
  CondVar changed_;
  size_t next_ GUARDED_BY(mutex_) = 0;
  size_t under_way_ GUARDED_BY(mutex_) = 0;
  uint64_t bytes_in_flight_ GUARDED_BY(mutex_) = 0;
  bool tier_failed_ GUARDED_BY(mutex_) = false;
  Status status_ GUARDED_BY(mutex_);
};

std::unique_ptr<WorkerPool> StartHelpers() {
  auto helpers = WorkerPool::Start(kHelpers);
  if (helpers) return *std::move(helpers);
  spdlog::warn("eviction: {}", helpers.error().ToString());
  return nullptr;
}

}  // namespace

Carrier::Carrier(Tier* tier) : tier_(tier), helpers_(StartHelpers()) {}

Status Carrier::Carry(Eviction::Departure* departure) {
  std::vector<Group> groups = MakeGroups(&departure->victims);
  const size_t helpers = helpers_ == nullptr || groups.empty()
                             ? 0
                             : std::min(kHelpers, groups.size() - 1);
  // A helper that comes late finds the trip ended, and touches no victim.
  const auto trip = std::make_shared<Trip>(tier_, std::move(groups));
  for (size_t i = 0; i < helpers; ++i) {
    helpers_->Run([trip] { trip->Work(); });
  }
  trip->Work();
  return trip->Wait();
}

}  // namespace vitrine::store
