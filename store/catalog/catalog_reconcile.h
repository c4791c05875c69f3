// How the catalog is made to agree with the objects that there are: after a
// restart, and after more happened than could be written.
//
// Two walks in pages, so that neither memory nor the time of a page depends on
// how many objects there are: first over the living, which are written where
// the database says something else; then over those that live by the database,
// of which the others are marked as gone.  What happens meanwhile is written as
// ever, between the pages.
//
// Invariant: a page says nothing about an object of which a row waits to be
// written, as that row is newer, or will be followed by what is.
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
    kRestart,  // Whatever is missing went with the store.
    kBehind,   // Events were dropped.
  };

  CatalogReconcile(LiveObjects* live, Reason reason)
      : live_(live), reason_(reason), left_(live->Count()) {}

  // What it needs besides the database.
  struct Context {
    // Folds in all that happened until now and returns what is to be written.
    std::function<const CatalogBatch&()> fold;
    CatalogWriter::TakeSequence take_sequence;
  };
  // Writes one page, or nothing.
  Status Step(CatalogWriter* writer, const Context& context);
  bool done() const { return phase_ == Phase::kDone; }
  // About how many are still to be looked at.
  size_t left() const { return left_; }

 private:
  enum class Phase { kClients, kLiving, kKnown, kDone };

  Status StepLiving(CatalogWriter* writer, const Context& context);
  Status StepKnown(CatalogWriter* writer, const Context& context);

  LiveObjects* const live_;
  const Reason reason_;
  Phase phase_ = Phase::kClients;
  uint64_t place_ = 0;  // Of the living; then, a number in the database.
  size_t left_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_RECONCILE_H_
