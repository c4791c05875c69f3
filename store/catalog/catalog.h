// The catalog: a SQLite database that anyone may read while the store runs.
// One thread writes it, behind the fast path by at most 50 ms.
//
// If more happens than it can write, first the history goes, then all that
// waits to be written: then the catalog is behind, takes in no events, and once
// the rush is over, or after two seconds, it reconciles with the objects that
// there are.  So its memory is bounded by the limits, whatever happens, and its
// lag by the rush and the time that a reconcile takes.
#ifndef VITRINE_STORE_CATALOG_CATALOG_H_
#define VITRINE_STORE_CATALOG_CATALOG_H_

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "store/base/live_objects.h"
#include "store/base/observer.h"
#include "store/catalog/catalog_batch.h"

namespace vitrine::store {

// Owns the database connection and the writer thread.  Thread-safe.
class Catalog : public Observer {
 public:
  // Opens or makes `<state_dir>/catalog.db`, applies migrations (schema/
  // migrations).  kVersionMismatch: it is of a newer version.  kCorruption:
  // it is no database.
  static Result<std::unique_ptr<Catalog>> Open(
      const std::string& state_dir, const CatalogLimits& limits = {});
  // Writes what is pending.
  ~Catalog() override = default;

  // After a restart: exactly `live` are sealed and in memory; rows of other
  // objects that were are marked as lost.  Waits until it is written.
  virtual Status Reconcile(const std::vector<ObjectInfo>& live) = 0;
  // The same without waiting, for those that were told nothing yet: page by
  // page, while what is told from now on is written, too.  StatusJson says that
  // it is still to come.  `live` is asked on the catalog's thread, now and
  // whenever the catalog is behind, until Reconcile or DropReconcile.
  virtual void ReconcileLater(std::unique_ptr<LiveObjects> live) = 0;
  // What has not been done yet will not be.
  virtual void DropReconcile() = 0;

  // Queues; AfterPending runs `done` once it is committed, or once writing it
  // failed, which StatusJson tells: nobody waits for a full disk.
  void OnEvent(const ObjectEvent& event) override = 0;
  void AfterPending(std::function<void()> done) override = 0;

  // Who connected and left.
  virtual void ClientConnected(uint64_t client, const std::string& name,
                               pid_t pid, uid_t uid) = 0;
  virtual void ClientDisconnected(uint64_t client) = 0;
  // Recency and use counts of objects, from time to time.
  virtual void RecordUses(std::vector<ObjectInfo> infos) = 0;

  // {path, version, pending, limit, reconciling, written, commits, failed,
  // last_error, lag_ms, wal_bytes, degraded, behind, times_behind, dropped:
  // {events, objects, clients, uses}}.
  // `lag_ms`: the age of the oldest that the database lacks, dropped or not.
  // `degraded`: writing fails at present, or something is being dropped because
  // writing cannot follow; `behind`: it is to be found by reconciling.
  virtual nlohmann::json StatusJson() const = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_H_
