// The object table as the catalog sees it when it reconciles.
#ifndef VITRINE_STORE_TABLE_TABLE_WALK_H_
#define VITRINE_STORE_TABLE_TABLE_WALK_H_

#include <memory>

#include "store/base/live_objects.h"
#include "store/table/object_table.h"

namespace vitrine::store {

// `table` must outlive it.  Holds the table's lock for one page at a time.
std::unique_ptr<LiveObjects> MakeTableWalk(ObjectTable* table);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_TABLE_WALK_H_
