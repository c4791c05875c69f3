#include "store/tiers/carrier.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
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
Status LoadVictim(const Tier& tier, const Victim& victim, Cargo* cargo) {
  auto extent = victim.file->Stat();
  if (!extent) return extent.error();
  auto memory = Mapping::Map(victim.file->fd(), extent->size_bytes, PROT_READ);
  if (!memory) return memory.error();
  std::vector<Tier::Load> loads;
  for (const auto& [info, metadata] : victim.contents) {
    if (tier.Has(info.number)) continue;
    if (info.offset_bytes > extent->size_bytes ||
        info.size_bytes > extent->size_bytes - info.offset_bytes) {
      return Error{Code::kCorruption, "an object beyond the end of its slab"};
    }
    loads.push_back({info,
                     metadata,
                     {memory->data() + info.offset_bytes, info.size_bytes}});
  }
  if (loads.empty()) return Status();
  cargo->loads.insert(cargo->loads.end(), loads.begin(), loads.end());
  cargo->memory.push_back(*std::move(memory));
  return Status();
}

// Lets at most so many bytes in at once; a group that has more, alone.
class ByteGate {
 public:
  void Enter(uint64_t bytes) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (inside_bytes_ > 0 && inside_bytes_ + bytes > kMostBytesInFlight) {
      left_.Wait(mutex_);
    }
    inside_bytes_ += bytes;
  }
  void Leave(uint64_t bytes) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    inside_bytes_ -= bytes;
    left_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar left_;
  uint64_t inside_bytes_ GUARDED_BY(mutex_) = 0;
};

// The groups of one departure.  Thread-safe.
class Trip {
 public:
  Trip(Tier* tier, std::vector<Group> groups)
      : tier_(tier), groups_(std::move(groups)) {}

  size_t groups() const { return groups_.size(); }

  // Only a failure of the tier is one.
  Status CarryGroup(size_t number) {
    const Group& group = groups_[number];
    gate_.Enter(group.bytes);
    // Others may have failed while it waited.
    const Status put = failed_ ? Status() : Put(group);
    if (!put) failed_ = true;
    gate_.Leave(group.bytes);
    return put;
  }

  // Why some victim could not be read.
  Status unreadable() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return unreadable_;
  }

 private:
  // One that cannot be read stays; it keeps no other one.
  Status Put(const Group& group) EXCLUDES(mutex_) {
    Cargo cargo;
    std::vector<Victim*> loaded;
    for (Victim* const victim : group.victims) {
      const size_t loads_before = cargo.loads.size();
      const Status ok = LoadVictim(*tier_, *victim, &cargo);
      if (!ok) {
        NoteUnreadable(ok);
      } else if (cargo.loads.size() == loads_before) {
        victim->carried = true;  // All of it is there already.
      } else {
        loaded.push_back(victim);
      }
    }
    Status put = cargo.loads.empty() ? Status() : tier_->Put(cargo.loads);
    for (Victim* const victim : loaded) victim->carried = put.has_value();
    return put;
  }
  void NoteUnreadable(const Status& status) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    unreadable_ = status;
  }

  Tier* const tier_;
  const std::vector<Group> groups_;
  ByteGate gate_;
  std::atomic<bool> failed_{false};

  mutable Mutex mutex_;
  Status unreadable_ GUARDED_BY(mutex_);
};

}  // namespace

Carrier::Carrier(Tier* tier) : tier_(tier), crew_(kHelpers) {}

Status Carrier::Carry(Eviction::Departure* departure) {
  Trip trip(tier_, MakeGroups(&departure->victims));
  const Status put = crew_.ForEach(trip.groups(), [&trip](size_t number) {
    return trip.CarryGroup(number);
  });
  return put ? trip.unreadable() : put;
}

}  // namespace vitrine::store
