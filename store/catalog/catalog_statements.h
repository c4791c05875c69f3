// The SQL with which the catalog is written, prepared once for a connection.
#ifndef VITRINE_STORE_CATALOG_CATALOG_STATEMENTS_H_
#define VITRINE_STORE_CATALOG_CATALOG_STATEMENTS_H_

#include "schema/sqlite/database.h"

namespace vitrine::store {

// History of one kind: counted by `count_sql`, its oldest rows deleted by
// `trim`.
struct CatalogHistory {
  const char* count_sql = nullptr;
  sqlite::Statement trim;
  int64_t rows = 0;  // An upper bound of their number.
};

// Must go before the connection.
struct CatalogStatements {
  static Result<CatalogStatements> Prepare(sqlite::Database* database);

  sqlite::Statement put_object;
  sqlite::Statement put_event;
  sqlite::Statement put_uses;
  sqlite::Statement put_client;
  sqlite::Statement end_client;
  sqlite::Statement select_object;
  sqlite::Statement select_living;
  CatalogHistory gone_objects;
  CatalogHistory events;
  CatalogHistory left_clients;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_STATEMENTS_H_
