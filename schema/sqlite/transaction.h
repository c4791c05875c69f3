// A write transaction of a database.
#ifndef VITRINE_SCHEMA_SQLITE_TRANSACTION_H_
#define VITRINE_SCHEMA_SQLITE_TRANSACTION_H_

#include <vitrine/result.h>

#include <utility>

#include "schema/sqlite/database.h"

namespace vitrine::sqlite {

// Rolled back unless committed.  The Database must outlive it.
class Transaction {
 public:
  static Result<Transaction> Begin(Database* database);
  Transaction(Transaction&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Status Commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}

  Database* database_;  // Null: over.
};

}  // namespace vitrine::sqlite

#endif  // VITRINE_SCHEMA_SQLITE_TRANSACTION_H_
