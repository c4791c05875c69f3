// Read-only SQL on a store's catalog, while the store runs or after it.
#ifndef VITRINE_CLIENT_TOOLS_CATALOG_READER_H_
#define VITRINE_CLIENT_TOOLS_CATALOG_READER_H_

#include <vitrine/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace vitrine::tools {

struct Blob {
  std::string bytes;
};
// Nothing stands for NULL.
using SqlValue =
    std::variant<std::monostate, int64_t, double, std::string, Blob>;

// Takes the rows of a statement one after the other.  `Begin` comes once for
// each statement that has columns, before its rows.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void Begin(const std::vector<std::string>& columns) = 0;
  virtual void Row(const std::vector<SqlValue>& values) = 0;
};

// Owns the database connection.  One thread.
class CatalogReader {
 public:
  // kNotFound: there is no `<state_dir>/catalog.db`.  kCorruption: it is no
  // database.  kPermissionDenied, kIoError: as the system says.
  static Result<CatalogReader> Open(const std::string& state_dir);

  // Runs the statements of `sql`.  kNotPermitted: one of them would write, or
  // open another file.  kInvalidArgument: no SQL, or none at all.
  Status Query(const std::string& sql, RowSink& sink);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Database = std::unique_ptr<sqlite3, Close>;
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit CatalogReader(Database database) : database_(std::move(database)) {}
  static Result<Database> OpenUri(const std::string& uri);
  Status Run(sqlite3_stmt* statement, RowSink& sink);
  Error SqlError() const;

  Database database_;
};

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_CATALOG_READER_H_
