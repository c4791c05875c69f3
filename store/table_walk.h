// The object table as the catalog sees it when it reconciles.
#ifndef VITRINE_STORE_TABLE_WALK_H_
#define VITRINE_STORE_TABLE_WALK_H_

#include <memory>

#include "store/live_objects.h"
#include "store/object_table.h"

namespace vitrine {

// `table` must outlive it.  Holds the table's lock for one page at a time.
std::unique_ptr<LiveObjects> MakeTableWalk(ObjectTable* table);

}  // namespace vitrine

#endif  // VITRINE_STORE_TABLE_WALK_H_
