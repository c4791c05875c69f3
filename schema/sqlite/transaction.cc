#include "schema/sqlite/transaction.h"

namespace vitrine::sqlite {

Result<Transaction> Transaction::Begin(Database* database) {
  if (Status status = database->Execute("BEGIN IMMEDIATE"); !status) {
    return status.error();
  }
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // SQLite may have rolled back by itself, on a full disk for example.
  if (sqlite3_get_autocommit(database_->handle()) != 0) return;
  (void)database_->Execute("ROLLBACK");
}

Status Transaction::Commit() {
  Status status = database_->Execute("COMMIT");
  if (status) database_ = nullptr;
  return status;
}

}  // namespace vitrine::sqlite
