// What the catalog is made to agree with after a restart.
#ifndef VITRINE_STORE_CATALOG_RECONCILE_H_
#define VITRINE_STORE_CATALOG_RECONCILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "store/object.h"

namespace vitrine {

// All objects that are sealed and in memory.  Snapshots of a million objects
// would take as much memory as their records, so they are made when asked for.
struct LiveObjects {
  std::vector<uint64_t> numbers;           // Ascending.
  std::function<ObjectInfo(size_t)> info;  // Of the one at a place.
};

// `infos` must outlive it.
LiveObjects LiveObjectsOf(const std::vector<ObjectInfo>& infos);

}  // namespace vitrine

#endif  // VITRINE_STORE_CATALOG_RECONCILE_H_
