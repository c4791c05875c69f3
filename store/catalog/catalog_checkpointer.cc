#include "store/catalog/catalog_checkpointer.h"

#include <utility>

#include "store/base/thread_setup.h"

namespace vitrine::store {

Result<std::unique_ptr<CatalogCheckpointer>> CatalogCheckpointer::Start(
    const std::string& path) {
  auto database =
      sqlite::Database::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
  if (!database) return database.error();
  Status status = database->Execute(
      "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
  if (!status) return status.error();
  // The same as for the writer's connection: the last one to close must not
  // delete the log.
  int persist = 1;
  sqlite3_file_control(database->handle(), "main", SQLITE_FCNTL_PERSIST_WAL,
                       &persist);
  sqlite3_db_config(database->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                    nullptr);
  return std::unique_ptr<CatalogCheckpointer>(
      new CatalogCheckpointer(*std::move(database)));
}

CatalogCheckpointer::CatalogCheckpointer(sqlite::Database database)
    : database_(std::move(database)), thread_([this] { Run(); }) {}

CatalogCheckpointer::~CatalogCheckpointer() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void CatalogCheckpointer::Request() {
  MutexLock lock(mutex_);
  if (requested_ || done_) return;
  requested_ = true;
  wake_.NotifyOne();
}

bool CatalogCheckpointer::TakeDone() {
  MutexLock lock(mutex_);
  return std::exchange(done_, false);
}

bool CatalogCheckpointer::WaitForRequest() {
  MutexLock lock(mutex_);
  while (!requested_ && !stop_) wake_.Wait(mutex_);
  return !stop_;
}

void CatalogCheckpointer::Run() {
  SetUpThread("checkpoint", ThreadPriority::kLow);
  while (WaitForRequest()) {
    // The writer or the next checkpoint moves the rest.
    sqlite3_wal_checkpoint_v2(database_.handle(), nullptr,
                              SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    MutexLock lock(mutex_);
    requested_ = false;
    done_ = true;
  }
}

}  // namespace vitrine::store
