// Moves the catalog's write-ahead log into the database beside the writer, so
// that the writer does not wait for the disk.
#ifndef VITRINE_STORE_CATALOG_CATALOG_CHECKPOINTER_H_
#define VITRINE_STORE_CATALOG_CATALOG_CHECKPOINTER_H_

#include <memory>
#include <string>
#include <thread>

#include "schema/base/mutex.h"
#include "schema/sqlite/database.h"

namespace vitrine::store {

// Owns a connection and a thread.  Thread-safe.
class CatalogCheckpointer {
 public:
  // `path` is that of an existing catalog.
  static Result<std::unique_ptr<CatalogCheckpointer>> Start(
      const std::string& path);
  CatalogCheckpointer(const CatalogCheckpointer&) = delete;
  CatalogCheckpointer& operator=(const CatalogCheckpointer&) = delete;
  ~CatalogCheckpointer();

  // Begins a checkpoint, unless one is under way.
  void Request() EXCLUDES(mutex_);
  // True once after each checkpoint: then little is left to move.
  bool TakeDone() EXCLUDES(mutex_);

 private:
  explicit CatalogCheckpointer(sqlite::Database database);
  void Run();
  bool WaitForRequest() EXCLUDES(mutex_);

  sqlite::Database database_;  // The thread's.

  Mutex mutex_;
  CondVar wake_;
  bool requested_ GUARDED_BY(mutex_) = false;
  bool done_ GUARDED_BY(mutex_) = false;
  bool stop_ GUARDED_BY(mutex_) = false;

  std::thread thread_;  // Last, as it uses all the others.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_CHECKPOINTER_H_
