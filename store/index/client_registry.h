// The connected clients and the values in their pages.
#ifndef VITRINE_STORE_INDEX_CLIENT_REGISTRY_H_
#define VITRINE_STORE_INDEX_CLIENT_REGISTRY_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/base/mutex.h"
#include "schema/base/unique_fd.h"
#include "schema/client_page.h"
#include "store/metrics/status_section.h"

namespace vitrine::store {

// Owns the store's side of every client's page.  Thread-safe.
class ClientRegistry {
 public:
  // Of a page.
  static constexpr uint64_t kPageBytes =
      (sizeof(ClientPage) + 4095) / 4096 * 4096;

  struct Client {
    std::string name;
    pid_t pid;
    uid_t uid;
    // Asks the client to unmap these segments; must not wait.
    std::function<void(const std::vector<uint64_t>&)> recall;
    // Asks the client for its blanks; must not wait.
    std::function<void()> recall_blanks = {};
  };

  // Makes a page for a new client.  `page` is a writable descriptor for it.
  struct Added {
    uint64_t client;
    UniqueFd page;
  };
  Result<Added> Add(Client client) EXCLUDES(mutex_);
  // Its pins are gone after this, and, if the client has left, the memory of
  // its page.
  void Remove(uint64_t client, bool has_left = true) EXCLUDES(mutex_);

  // Every pin of every client, as MakePin made it.  Before the call, the caller
  // has marked its victims and executed a fence (index_layout.h).
  std::unordered_set<uint64_t> CollectPins() const EXCLUDES(mutex_);
  // Those of `wanted` that a client has pinned.  Takes little memory and time,
  // whatever clients write to their pages.
  std::unordered_set<uint64_t> FindPins(
      const std::unordered_set<uint64_t>& wanted) const EXCLUDES(mutex_);
  // Calls `touch` with the slot number of every touch since the last call, if
  // the rings still have it.  Slot numbers are not checked.
  void DrainTouches(const std::function<void(uint32_t slot)>& touch)
      EXCLUDES(mutex_);
  // Asks every client that keeps mappings to unmap `segments`; returns how many
  // were asked.
  size_t Recall(const std::vector<uint64_t>& segments) const EXCLUDES(mutex_);

  // How many clients have left, as a mark in time.
  uint64_t Departures() const EXCLUDES(mutex_);
  // True: a client of a user who is neither `owner` nor trusted is connected,
  // or left after the mark.
  bool HadOthers(uid_t owner, uint64_t departures) const EXCLUDES(mutex_);

  // True: a client keeps a mapping that it could be asked to unmap.
  bool KeepMappings() const EXCLUDES(mutex_);

  // Asks every client to give back the blanks that no writer has.
  void RecallBlanks() const EXCLUDES(mutex_);

  // The AwaitedBits of all clients.  The caller has published before: this
  // begins with the publisher's fence (index_layout.h).  Takes no system call,
  // and reads one cache line of each client.
  uint64_t AwaitedGroups() const EXCLUDES(mutex_);
  // Threads that wait on the index, by the clients' own counts.
  uint64_t CountWaiters() const EXCLUDES(mutex_);

  // A section for each client.
  std::vector<StatusSection> GetStatus() const EXCLUDES(mutex_);

 private:
  void NoteDeparture(uid_t uid) REQUIRES(mutex_);
  struct Entry {
    Client client;
    Mapping page;
    std::array<uint32_t, kPageStripes> touches_seen{};
  };

  mutable Mutex mutex_;
  uint64_t last_client_ GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Entry> clients_ GUARDED_BY(mutex_);
  // Clients of users who are not trusted, by user.
  std::map<uid_t, size_t> untrusted_ GUARDED_BY(mutex_);
  struct Departure {
    uid_t uid = 0;
    uint64_t count = 0;
  };
  uint64_t departures_ GUARDED_BY(mutex_) = 0;
  // Of the last two users who left, the last departure of each: whoever the
  // owner is, one of the two is somebody else.
  std::array<Departure, 2> last_departures_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_INDEX_CLIENT_REGISTRY_H_
