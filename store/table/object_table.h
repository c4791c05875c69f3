// The object table: which objects there are and what may happen to them.
//
//   Insert --> UNSEALED --Seal--> SEALED --Delete, eviction--> GONE
//                  `--Abort------------------------------------^
//   Make --> BLANK --SealBlank--> SEALED
//              `--Drop---> GONE
//
// A SEALED object is in memory or, if the store has a tier, elsewhere:
//
//   in memory --eviction--> elsewhere --return--> in memory
//
// TableState has the parts, the lock and the invariants; what can be done is
// grouped by subject.
#ifndef VITRINE_STORE_TABLE_OBJECT_TABLE_H_
#define VITRINE_STORE_TABLE_OBJECT_TABLE_H_

#include <memory>

#include "store/table/blank_ops.h"
#include "store/table/compactor.h"
#include "store/table/eviction.h"
#include "store/table/returning.h"
#include "store/table/sealed_ops.h"
#include "store/table/sealing.h"
#include "store/table/slab_ops.h"
#include "store/table/table_queries.h"
#include "store/table/table_restore.h"
#include "store/table/table_state.h"
#include "store/table/unsealed_ops.h"
#include "store/table/upkeep.h"

namespace vitrine::store {

// Thread-safe.  `segments`, `clients` and `accounts` must outlive it.
class ObjectTable {
 public:
  ObjectTable(SegmentDir* segments, ClientRegistry* clients, Accounts* accounts,
              IndexWriter index, Journal journal,
              std::unique_ptr<EvictionPolicy> policy)
      : state_(segments, clients, accounts, std::move(index),
               std::move(journal), std::move(policy)) {}

  UnsealedOps& unsealed() { return unsealed_; }
  BlankOps& blanks() { return blanks_; }
  Sealing& sealing() { return sealing_; }
  SlabOps& slabs() { return slabs_; }
  SealedOps& sealed() { return sealed_; }
  TableQueries& queries() { return queries_; }
  Eviction& eviction() { return eviction_; }
  Returning& returning() { return returning_; }
  Compactor& compactor() { return compactor_; }
  TableRestore& restore() { return restore_; }
  Upkeep& upkeep() { return upkeep_; }

 private:
  TableState state_;
  UnsealedOps unsealed_{&state_};
  BlankOps blanks_{&state_};
  Sealing sealing_{&state_};
  SlabOps slabs_{&state_};
  SealedOps sealed_{&state_};
  TableQueries queries_{&state_};
  Eviction eviction_{&state_};
  Returning returning_{&state_};
  Compactor compactor_{&state_};
  TableRestore restore_{&state_};
  Upkeep upkeep_{&state_};
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_OBJECT_TABLE_H_
