// The catalog's view of the store for reconciling.
#ifndef VITRINE_STORE_BASE_LIVE_OBJECTS_H_
#define VITRINE_STORE_BASE_LIVE_OBJECTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "store/base/object.h"

namespace vitrine::store {

// An object that is live in the database.
struct KnownObject {
  uint64_t number;
  std::string id;
};

// The live objects, read page by page while they change.  Each page, and each
// answer, is true at one moment.  An object that does not change between the
// first page and the last is in exactly one page.  One thread at a time.
class LiveObjects {
 public:
  virtual ~LiveObjects() = default;

  // The approximate number of objects.
  virtual size_t Count() = 0;
  // Adds the objects of one page to `infos`; some pages are empty.  `*place` is
  // the page, 0 at first, and is set to the next.  False: it was the last.
  virtual bool ReadPage(uint64_t* place, std::vector<ObjectInfo>* infos) = 0;
  // For each object: true if it is live and still has that id.
  virtual std::vector<bool> AreAlive(std::span<const KnownObject> objects) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_LIVE_OBJECTS_H_
