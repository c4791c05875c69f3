// The catalog's schema: the texts of schema/migrations/*.sql.
#ifndef VITRINE_SCHEMA_MIGRATIONS_H_
#define VITRINE_SCHEMA_MIGRATIONS_H_

#include <span>

namespace vitrine {

// Marks a database as a catalog (PRAGMA application_id): "Vtrn".
inline constexpr int kCatalogApplicationId = 0x5674726e;

// Element i brings a catalog of version i (PRAGMA user_version) to version
// i + 1.
std::span<const char* const> CatalogMigrations();

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_MIGRATIONS_H_
