// The store: every decision about objects, behind one thread-safe interface
// that both front ends, the server and the mount, call.
//
//   Create --> UNSEALED --Seal--> SEALED --Delete or eviction--> GONE
//                  `--Abort, or the creator died-----------------^
//
// A SEALED object is in memory; with a tier it may also be elsewhere.  Then an
// eviction does not end it, and Want brings it back.
//
// Invariants:
//  (1) A SEALED object's id, size, bytes and metadata never change.
//  (2) At most one SEALED object has a given id; at most one UNSEALED one has.
//  (3) An object is SEALED only if the kernel vouched that nobody has its
//      segment open or mapped writable, or if nobody but the store ever had.
//  (4) Memory is given back only if the kernel vouched that nobody has the
//      segment open or mapped.
//  (5) What is SEALED when the store is killed is SEALED after its restart.
#ifndef VITRINE_STORE_STORE_H_
#define VITRINE_STORE_STORE_H_

#include <memory>

#include "store/base/roles.h"
#include "store/base/store_options.h"

namespace vitrine::store {

// Thread-safe.  What can be done is grouped by roles (base/roles.h), which live
// as long as the store.
class Store {
 public:
  // Sets memory, catalog and index up, and takes over what a killed store
  // left.  kUnavailable: another store has the state.  kTooLarge: the capacity
  // cannot be had.
  static Result<std::unique_ptr<Store>> Open(const StoreOptions& options);
  // Gives all memory back: sealed objects are lost.
  virtual ~Store() = default;
  // For a start that failed after Open: the destructor leaves what a killed
  // store left to the next start.
  virtual void AbandonStart() = 0;

  virtual MemoryRequests& memory() = 0;
  virtual UnsealedObjects& unsealed() = 0;
  virtual BlankSegments& blanks() = 0;
  virtual SmallPuts& small() = 0;
  virtual SealedObjects& sealed() = 0;
  virtual ObjectViews& objects() = 0;
  virtual StoreFacts& facts() = 0;
  virtual StoreEvents& events() = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_STORE_H_
