// The store proper: puts the parts together, starts them and ends them.
#ifndef VITRINE_STORE_OBJECT_STORE_H_
#define VITRINE_STORE_OBJECT_STORE_H_

#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "store/journal/journal.h"
#include "store/restart.h"
#include "store/roles/blank_role.h"
#include "store/roles/events_role.h"
#include "store/roles/facts_role.h"
#include "store/roles/memory_role.h"
#include "store/roles/sealed_role.h"
#include "store/roles/slab_role.h"
#include "store/roles/store_parts.h"
#include "store/roles/unsealed_role.h"
#include "store/roles/views_role.h"
#include "store/store.h"

namespace vitrine::store {

class ObjectStore : public Store {
 public:
  static Result<std::unique_ptr<ObjectStore>> Open(const StoreOptions& options);
  ~ObjectStore() override;
  void AbandonStart() override { abandoned_ = true; }

  MemoryRequests& memory() override { return memory_; }
  UnsealedObjects& unsealed() override { return unsealed_; }
  BlankSegments& blanks() override { return blanks_; }
  SmallPuts& small() override { return small_; }
  SealedObjects& sealed() override { return sealed_; }
  ObjectViews& objects() override { return objects_; }
  StoreFacts& facts() override { return facts_; }
  StoreEvents& events() override { return events_; }

 private:
  ObjectStore(const StoreOptions& options, LockFile lock,
              std::unique_ptr<MemoryPlace> place, SegmentDir segments)
      : parts_{.options = options,
               .lock = std::move(lock),
               .place = std::move(place),
               .segments = std::move(segments),
               .accounts = Accounts(::geteuid())} {}

  Status Start();
  // Reads what a killed store left, makes the table and fills it.
  Status TakeOver();
  // Nothing of what is left is changed before this says OK.
  Result<Journal> OpenJournal(Leftovers* left);
  Status LookIntoTier(Leftovers* left);
  Status SettleTier(const Leftovers& left,
                    const std::vector<uint64_t>& missing);
  Status Restore(const Leftovers& left);
  // Evicts what does not fit the capacity.  kTooLarge: held objects do not.
  Status FitCapacity();
  void EvictSurplus();
  Eviction::Batch EvictAtStart(uint64_t bytes);
  void TellOfRestart() const;
  // What on_exit says.  False: the memory stays as it is.
  bool EndObjects();
  Status SpillAll();
  void ForgetCopies();
  void SetUpPool();
  void SetUpKeepers();
  Status SetUpCopier();
  void SetUpRetriever();
  Status WatchPressure();

  bool running_ = false;
  bool abandoned_ = false;  // The memory stays for the next start.
  StoreParts parts_;
  MemoryRole memory_{&parts_};
  UnsealedRole unsealed_{&parts_};
  BlankRole blanks_{&parts_};
  SlabRole small_{&parts_};
  SealedRole sealed_{&parts_};
  ViewsRole objects_{&parts_};
  FactsRole facts_{&parts_, &small_};
  EventsRole events_{&parts_};
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_OBJECT_STORE_H_
