#include "store/index/client_registry.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "store/base/object.h"
#include "store/index/sealed_memfd.h"

namespace vitrine::store {
namespace {

ClientPage& PageIn(const Mapping& mapping) {
  return *reinterpret_cast<ClientPage*>(mapping.data());
}

// Calls `visit` with every pin in `page`.
template <typename Visitor>
void VisitPins(const ClientPage& page, const Visitor& visit) {
  for (const PageStripe& stripe : page.stripes) {
    const size_t count = std::min<size_t>(
        stripe.pins_high_water.load(std::memory_order_seq_cst), kPinsPerStripe);
    for (size_t place = 0; place < count; ++place) {
      // Sequentially consistent: see the evictor in index_layout.h.
      const uint64_t pin = stripe.pins[place].load(std::memory_order_seq_cst);
      if (pin != 0) visit(pin);
    }
  }
}

// Appends the touches of `stripe` after the first `seen`.  The counter may have
// wrapped, or be wrong, so at most the ring's size is taken.
void DrainStripe(const PageStripe& stripe, uint32_t* seen,
                 std::vector<uint32_t>* slots) {
  const uint32_t count = stripe.touch_count.load(std::memory_order_acquire);
  const uint32_t fresh =
      std::min<uint32_t>(count - *seen, uint32_t{kTouchesPerStripe});
  for (uint32_t touch = count - fresh; touch != count; ++touch) {
    slots->push_back(stripe.touches[touch % kTouchesPerStripe].load(
        std::memory_order_relaxed));
  }
  *seen = count;
}

struct ClientFacts {
  std::string name;
  pid_t pid;
  uid_t uid;
  uint64_t pins;
  uint64_t kept_mappings;
  uint64_t waits;
};

constexpr MetricOf<ClientFacts> kClientMetrics[] = {
    Info<&ClientFacts::name>("name", "What the client calls itself."),
    Info<&ClientFacts::pid>("pid", "The process of the client."),
    Info<&ClientFacts::uid>("uid", "The user of that process."),
    Gauge<&ClientFacts::pins>("pins", "Objects that the client has in hand."),
    Gauge<&ClientFacts::kept_mappings>(
        "kept_mappings", "Segments that the client keeps mapped."),
    Gauge<&ClientFacts::waits>("waits",
                               "Threads of the client that wait for objects.")};

uint64_t CountPins(const ClientPage& page) {
  uint64_t pins = 0;
  VisitPins(page, [&pins](uint64_t) { ++pins; });
  return pins;
}

}  // namespace

Result<ClientRegistry::Added> ClientRegistry::Add(Client client) {
  Result<UniqueFd> page = MakeSealedMemfd("vitrine-client-page", kPageBytes);
  if (!page) return page.error();
  Result<Mapping> mapping =
      Mapping::Map(page->get(), kPageBytes, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  MutexLock lock(mutex_);
  const uint64_t number = ++last_client_;
  if (!IsTrusted(client.uid)) ++untrusted_[client.uid];
  clients_.emplace(number, Entry{std::move(client), std::move(*mapping), {}});
  return Added{number, std::move(*page)};
}

void ClientRegistry::Remove(uint64_t client, bool has_left) {
  decltype(clients_)::node_type gone;  // Destroyed with no lock held.
  MutexLock lock(mutex_);
  gone = clients_.extract(client);
  if (gone.empty()) return;
  NoteDeparture(gone.mapped().client.uid);
  // The client may keep it mapped for ever, and nobody is charged for it now.
  if (has_left) gone.mapped().page.FreePages();
}

void ClientRegistry::NoteDeparture(uid_t uid) {
  ++departures_;
  if (IsTrusted(uid)) return;
  if (--untrusted_[uid] == 0) untrusted_.erase(uid);
  if (last_departures_[0].uid != uid) {
    last_departures_[1] = last_departures_[0];
  }
  last_departures_[0] = {uid, departures_};
}

uint64_t ClientRegistry::Departures() const {
  MutexLock lock(mutex_);
  return departures_;
}

bool ClientRegistry::HadOthers(uid_t owner, uint64_t departures) const {
  MutexLock lock(mutex_);
  const bool connected =
      std::any_of(untrusted_.begin(), untrusted_.end(),
                  [owner](const auto& user) { return user.first != owner; });
  return connected ||
         std::any_of(last_departures_.begin(), last_departures_.end(),
                     [&](const Departure& departure) {
                       return departure.count > departures &&
                              departure.uid != owner;
                     });
}

std::unordered_set<uint64_t> ClientRegistry::CollectPins() const {
  std::unordered_set<uint64_t> pins;
  MutexLock lock(mutex_);
  for (const auto& [number, entry] : clients_) {
    VisitPins(PageIn(entry.page), [&pins](uint64_t pin) { pins.insert(pin); });
  }
  return pins;
}

std::unordered_set<uint64_t> ClientRegistry::FindPins(
    const std::unordered_set<uint64_t>& wanted) const {
  std::unordered_set<uint64_t> pins;
  MutexLock lock(mutex_);
  for (const auto& [number, entry] : clients_) {
    VisitPins(PageIn(entry.page), [&](uint64_t pin) {
      if (wanted.contains(pin)) pins.insert(pin);
    });
  }
  return pins;
}

void ClientRegistry::DrainTouches(
    const std::function<void(uint32_t slot)>& touch) {
  std::vector<uint32_t> slots;
  {
    MutexLock lock(mutex_);
    for (auto& [number, entry] : clients_) {
      const ClientPage& page = PageIn(entry.page);
      for (size_t stripe = 0; stripe < kPageStripes; ++stripe) {
        DrainStripe(page.stripes[stripe], &entry.touches_seen[stripe], &slots);
      }
    }
  }
  for (const uint32_t slot : slots) touch(slot);
}

size_t ClientRegistry::Recall(const std::vector<uint64_t>& segments) const {
  size_t asked = 0;
  MutexLock lock(mutex_);
  for (const auto& [number, entry] : clients_) {
    const uint32_t kept =
        PageIn(entry.page).kept_mappings.load(std::memory_order_relaxed);
    if (kept == 0 || !entry.client.recall) continue;
    entry.client.recall(segments);
    ++asked;
  }
  return asked;
}

bool ClientRegistry::KeepMappings() const {
  MutexLock lock(mutex_);
  return std::any_of(clients_.begin(), clients_.end(), [](const auto& client) {
    return PageIn(client.second.page)
               .kept_mappings.load(std::memory_order_relaxed) > 0;
  });
}

void ClientRegistry::RecallBlanks() const {
  MutexLock lock(mutex_);
  for (const auto& [number, entry] : clients_) {
    if (entry.client.recall_blanks) entry.client.recall_blanks();
  }
}

uint64_t ClientRegistry::AwaitedGroups() const {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  uint64_t awaited = 0;
  MutexLock lock(mutex_);
  for (const auto& [number, entry] : clients_) {
    awaited |=
        PageIn(entry.page).awaited_groups.load(std::memory_order_seq_cst);
  }
  return awaited;
}

uint64_t ClientRegistry::CountWaiters() const {
  uint64_t waiters = 0;
  MutexLock lock(mutex_);
  for (const auto& [number, entry] : clients_) {
    waiters += PageIn(entry.page).waiters.load(std::memory_order_relaxed);
  }
  return waiters;
}

std::vector<StatusSection> ClientRegistry::GetStatus() const {
  std::vector<StatusSection> clients;
  MutexLock lock(mutex_);
  for (const auto& [number, entry] : clients_) {
    const ClientPage& page = PageIn(entry.page);
    const ClientFacts facts = {
        .name = entry.client.name,
        .pid = entry.client.pid,
        .uid = entry.client.uid,
        .pins = CountPins(page),
        .kept_mappings = page.kept_mappings.load(std::memory_order_relaxed),
        .waits = page.waiters.load(std::memory_order_relaxed)};
    clients.push_back(MakeSection(kClientMetrics, facts));
  }
  return clients;
}

}  // namespace vitrine::store
