// The catalog's file: made, checked, migrated, and put back when somebody
// deleted it.
#ifndef VITRINE_STORE_CATALOG_CATALOG_DATABASE_H_
#define VITRINE_STORE_CATALOG_CATALOG_DATABASE_H_

#include <span>
#include <string>

#include "store/catalog/sqlite.h"

namespace vitrine::store {

// Opens or makes the database at `path`, readable by everybody, in WAL mode
// and of version `migrations.size()`.  kVersionMismatch: it is of a newer one.
// kCorruption: it is no database, a damaged one, or some other program's.
Result<Database> OpenCatalogDatabase(const std::string& path,
                                     std::span<const char* const> migrations);

// True if the file of `database` is no longer at its path.
bool IsDeleted(const Database& database);
// Writes everything that `database`, which IsDeleted, still has to its path.
// Open that anew afterwards.
Status RestoreDeleted(Database* database);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_DATABASE_H_
