// Makes the catalog agree with the live objects: after a restart, and after the
// catalog was behind.
//
// There are two walks in pages, so that neither memory nor the time of a page
// depends on the number of objects.  The first is over the live objects, and
// writes those that differ from the database.  The second is over the rows that
// are live in the database, and marks those as gone whose objects are not live.
// New events are written between the pages, as always.
//
// Invariant: a page skips an object if a row of that object waits to be
// written, because that row is newer, or will be followed by a newer one.
#ifndef VITRINE_STORE_CATALOG_CATALOG_RECONCILE_H_
#define VITRINE_STORE_CATALOG_CATALOG_RECONCILE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "store/base/live_objects.h"
#include "store/catalog/catalog_batch.h"
#include "store/catalog/catalog_writer.h"

namespace vitrine::store {

// Uses `live`, which must outlive it, only in Step.  One thread at a time.
class CatalogReconcile {
 public:
  enum class Reason {
    kRestart,  // Missing objects went with the store.
    kBehind,   // Events were dropped.
  };

  CatalogReconcile(LiveObjects* live, Reason reason)
      : live_(live), reason_(reason), left_(live->Count()) {}

  // Its inputs besides the database.
  struct Context {
    // Folds in all events so far and returns the batch that waits to be
    // written.
    std::function<const CatalogBatch&()> fold;
    CatalogWriter::TakeSequence take_sequence;
  };
  // Writes one page, or nothing.
  Status Step(CatalogWriter* writer, const Context& context);
  bool done() const { return phase_ == Phase::kDone; }
  // The approximate number of objects still to be compared.
  size_t left() const { return left_; }

 private:
  enum class Phase { kClients, kLiving, kKnown, kDone };

  Status StepLiving(CatalogWriter* writer, const Context& context);
  Status StepKnown(CatalogWriter* writer, const Context& context);

  LiveObjects* const live_;
  const Reason reason_;
  Phase phase_ = Phase::kClients;
  uint64_t place_ = 0;  // A LiveObjects page; then a number in the database.
  size_t left_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_RECONCILE_H_
