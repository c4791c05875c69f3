// Read-only SQL on a store's catalog, while the store runs or after it.
#ifndef VITRINE_CLIENT_TOOLS_CATALOG_READER_H_
#define VITRINE_CLIENT_TOOLS_CATALOG_READER_H_

#include <vitrine/result.h>

#include <string>
#include <utility>
#include <vector>

#include "schema/sqlite/database.h"

namespace vitrine::tools {

// Takes the rows of a statement one after the other.  `Begin` comes once for
// each statement that has columns, before its rows.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void Begin(const std::vector<std::string>& columns) = 0;
  virtual void Row(const std::vector<sqlite::Value>& values) = 0;
};

// Owns the database connection.  One thread.
class CatalogReader {
 public:
  // kNotFound: there is no `<state_dir>/catalog.db`.  kCorruption: it is no
  // database.  kPermissionDenied, kIoError: as the system says.
  static Result<CatalogReader> Open(const std::string& state_dir);

  // Runs the statements of `sql`.  kNotPermitted: one of them would write, or
  // open another file.  kInvalidArgument: no SQL, or none at all.
  // kUnavailable: somebody keeps the catalog locked.
  Status Query(const std::string& sql, RowSink& sink);

 private:
  explicit CatalogReader(sqlite::Database database)
      : database_(std::move(database)) {}

  sqlite::Database database_;
};

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_CATALOG_READER_H_
