// What the catalog asks when it has to be made to agree with the store.
#ifndef VITRINE_STORE_BASE_LIVE_OBJECTS_H_
#define VITRINE_STORE_BASE_LIVE_OBJECTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "store/base/object.h"

namespace vitrine::store {

// An object of which somebody knows that it lived.
struct KnownObject {
  uint64_t number;
  std::string id;
};

// The objects that there are, looked at page by page while they change: each
// page, and each answer, is true at one moment.  An object that does not change
// between the first page and the last is in exactly one.  One thread at a time.
class LiveObjects {
 public:
  virtual ~LiveObjects() = default;

  // About how many there are.
  virtual size_t Count() = 0;
  // Adds those of one page to `infos`; some pages are empty.  `*place` says
  // which page, 0 at first, and is set to the next.  False: it was the last.
  virtual bool ReadPage(uint64_t* place, std::vector<ObjectInfo>* infos) = 0;
  // For each, whether it lives and still has that id.
  virtual std::vector<bool> AreAlive(std::span<const KnownObject> objects) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_LIVE_OBJECTS_H_
