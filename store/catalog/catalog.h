// The catalog: a SQLite database that is read by those who may while the store
// runs.  One thread writes it, behind the fast path by at most 50 ms.
//
// Whatever happens to the database, the objects do not depend on it.  If it
// cannot be opened or written, the catalog says so once, and in its status, and
// tries again until it can.  One that is damaged is set aside and begun anew.
//
// If there are more events than it can write, it first drops the history, then
// all rows that wait to be written.  Then the catalog is behind and takes in no
// events.  Once the rush is over, or after two seconds, it reconciles with the
// live objects.  Its memory is thus always bounded by the limits, and its lag
// by the rush and the time that a reconcile takes.
#ifndef VITRINE_STORE_CATALOG_CATALOG_H_
#define VITRINE_STORE_CATALOG_CATALOG_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "store/base/live_objects.h"
#include "store/base/observer.h"
#include "store/catalog/catalog_batch.h"
#include "store/metrics/status_section.h"

namespace vitrine::store {

inline constexpr mode_t kCatalogMode = 0600;

// Owns the database connection and the writer thread.  Thread-safe.
class Catalog : public Observer {
 public:
  // Opens or makes `<state_dir>/catalog.db` and applies migrations (schema/
  // migrations).  `mode` is that of its files.  Whoever may read them can keep
  // the catalog, but not the store, from being written, by SQLite's locks.
  static std::unique_ptr<Catalog> Open(const std::string& state_dir,
                                       const CatalogLimits& limits = {},
                                       mode_t mode = kCatalogMode);
  // Writes all pending rows.
  ~Catalog() override = default;

  // After a restart: exactly `live` are sealed and in memory.  Marks the rows
  // of all others that were as lost.  Waits until all of it is written.
  virtual Status Reconcile(const std::vector<ObjectInfo>& live) = 0;
  // The same without waiting: reconciles page by page, while new events are
  // written, too.  GetStatus shows that it is under way.  The catalog's thread
  // asks `live`, now and whenever the catalog is behind, until Reconcile or
  // DropReconcile.
  virtual void ReconcileLater(std::unique_ptr<LiveObjects> live) = 0;
  // Ends a reconcile that is under way; `live` is not asked any more.
  virtual void DropReconcile() = 0;

  // OnEvent queues the event.  AfterPending runs `done` once all earlier events
  // are committed, or once writing them failed, so that no caller waits for a
  // full disk.  GetStatus shows the failure.
  void OnEvent(const ObjectEvent& event) override = 0;
  void AfterPending(std::function<void()> done) override = 0;

  // Record the connections of clients.
  virtual void ClientConnected(uint64_t client, const std::string& name,
                               pid_t pid, uid_t uid) = 0;
  virtual void ClientDisconnected(uint64_t client) = 0;
  // Recency and use counts of objects, from time to time.
  virtual void RecordUses(std::vector<ObjectInfo> infos) = 0;

  // catalog_metrics.cc says what each value means.
  virtual StatusSection GetStatus() const = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_H_
