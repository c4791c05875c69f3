// The catalog's file: opening, checks, migrations, and restoring it after it
// was deleted.
#ifndef VITRINE_STORE_CATALOG_CATALOG_DATABASE_H_
#define VITRINE_STORE_CATALOG_CATALOG_DATABASE_H_

#include <span>
#include <string>

#include "schema/sqlite/database.h"

namespace vitrine::store {

// Opens or makes the database at `path`, readable by everybody, in WAL mode
// and of version `migrations.size()`.  kVersionMismatch: it has a newer
// version. kCorruption: it is no database, a damaged one, or another program's.
Result<sqlite::Database> OpenCatalogDatabase(
    const std::string& path, std::span<const char* const> migrations);

// True if the file of `database` is no longer at its path.
bool IsDeleted(const sqlite::Database& database);
// Writes the content of `database`, which IsDeleted, to its path again.  Open
// the path anew afterwards.
Status RestoreDeleted(sqlite::Database* database);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_DATABASE_H_
