// The catalog's database: opening, checks, migrations, and restoring it after
// its files were deleted.
#ifndef VITRINE_STORE_CATALOG_CATALOG_DATABASE_H_
#define VITRINE_STORE_CATALOG_CATALOG_DATABASE_H_

#include <sys/types.h>

#include <span>
#include <string>

#include "schema/sqlite/database.h"

namespace vitrine::store {

// Opens or makes the database at `path`, whose files have `mode`, in WAL mode
// and of version `migrations.size()`.  kCorruption: it is no database, or a
// damaged one.  kVersionMismatch: it has a newer version.  kAlreadyExists: it
// is another program's.  kUnavailable: another process keeps it locked.
Result<sqlite::Database> OpenCatalogDatabase(
    const std::string& path, std::span<const char* const> migrations,
    mode_t mode);

// kCorruption: the files do not begin as those of a catalog.  What SQLite has
// in memory does not count.
Status CheckHeaders(const sqlite::Database& database);

// Writes the content of `database`, whose file was deleted, to its path again.
// Open the path anew afterwards.
Status RestoreDeleted(sqlite::Database* database, mode_t mode);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_DATABASE_H_
