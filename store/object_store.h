// The store proper: puts the object table, the memory and the threads that
// look after them together.  See store.h for what each method does.
#ifndef VITRINE_STORE_OBJECT_STORE_H_
#define VITRINE_STORE_OBJECT_STORE_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/mutex.h"
#include "store/base/worker_pool.h"
#include "store/catalog/catalog.h"
#include "store/evictor.h"
#include "store/host/lock_file.h"
#include "store/host/memory_place.h"
#include "store/housekeeper.h"
#include "store/index/client_registry.h"
#include "store/retriever.h"
#include "store/segments/memory_budget.h"
#include "store/segments/orphans.h"
#include "store/segments/segment_dir.h"
#include "store/segments/segment_file.h"
#include "store/segments/segment_pool.h"
#include "store/store.h"
#include "store/table/object_table.h"
#include "store/writer_watch.h"

namespace vitrine::store {

class ObjectStore : public Store {
 public:
  static Result<std::unique_ptr<ObjectStore>> Open(const StoreOptions& options);
  ~ObjectStore() override;
  void AbandonStart() override { abandoned_ = place_->taken_over(); }

  void AddObserver(Observer* observer) override;
  void RemoveObserver(Observer* observer) override;
  void AfterObservers(std::function<void()> done) override;
  ClientRegistry& clients() override { return clients_; }
  Catalog* catalog() override { return catalog_.get(); }

  Result<ObjectRef> Create(const ObjectId& id,
                           const NewObject& options) override;
  void CreateSized(const ObjectId& id, uint64_t size_bytes,
                   const NewObject& options, SpaceWait wait,
                   Done<ObjectRef> done) override;
  void Resize(const ObjectRef& object, uint64_t size_bytes, SpaceWait wait,
              Done<void> done) override;
  void Reserve(const ObjectRef& object, uint64_t offset_bytes,
               uint64_t size_bytes, SpaceWait wait, Done<void> done) override;
  Result<UniqueFd> OpenForWriting(const ObjectRef& object) override;
  void NoteWritten(const ObjectRef& object, uint64_t end_bytes) override;
  Result<WriteMode> BeginWriting(const ObjectRef& object) override;
  void EndWriting(const ObjectRef& object, WriteMode mode) override;
  Status SetMode(const ObjectRef& object, mode_t mode) override;
  Status SetOwner(const ObjectRef& object, uid_t uid, gid_t gid) override;
  Status SetModified(const ObjectRef& object, int64_t modified_ns) override;
  Status SetMetadata(const ObjectRef& object, const std::string& name,
                     std::optional<std::string> value) override;
  Status Rename(const ObjectRef& object, const ObjectId& id,
                bool no_replace) override;
  Status Seal(const ObjectRef& object, const ObjectId& id) override;
  Status Abort(const ObjectRef& object) override;

  uint64_t small_object_bytes() const override { return small_object_bytes_; }
  void PutSmall(const Credentials& creator,
                std::span<const SmallObject> objects,
                std::vector<Status>* results) override;
  void AddRoom(SpaceWait wait, Done<void> done,
               const void* whose = nullptr) override;
  void EndWaitsForRoom(const void* whose) override {
    budget_->EndWaitsOf(whose);
  }

  Result<ObjectRef> FindSealed(const ObjectId& id) override;
  Result<ObjectRef> FindUnsealed(const ObjectId& id) override;
  void Want(const ObjectId& id, SpaceWait wait, Done<void> done) override;
  Status Delete(const ObjectRef& object, const Credentials& who) override;
  Status SetHold(const ObjectRef& object, bool hold,
                 const Credentials& who) override;
  void Evict(uint64_t bytes, Done<uint64_t> done) override;

  ObjectInfo Info(const ObjectRef& object) override;
  std::shared_ptr<const Metadata> GetMetadata(const ObjectRef& object) override;
  Result<UniqueFd> OpenForReading(const ObjectRef& object) override;
  Result<std::shared_ptr<SegmentFile>> Share(const ObjectRef& object) override;
  bool InUse(const ObjectRef& object) override;
  void Touch(const ObjectRef& object) override;
  std::string SegmentPath(const ObjectRef& object) override;
  std::vector<ObjectRef> List(ObjectState state) override;
  std::vector<ListedObject> Describe(std::span<const ObjectRef> objects,
                                     ObjectState state) override;

  Usage GetUsage() override;
  nlohmann::json StatusJson() override;
  void SetStatusSource(const std::string& name,
                       std::function<nlohmann::json()> source) override;
  const std::string& memory_dir() const override;
  const std::string& state_dir() const override { return options_.state_dir; }
  uint64_t page_bytes() const override { return segments_.page_bytes(); }
  std::string DescribeMemory() const override { return place_->Describe(); }
  Result<UniqueFd> OpenIndex() override {
    return table_->queries().OpenIndex();
  }
  Result<UniqueFd> OpenSegmentDir() override { return segments_.OpenPath(); }

 private:
  ObjectStore(StoreOptions options, LockFile lock,
              std::unique_ptr<MemoryPlace> place, SegmentDir segments);

  Status Start();
  Status Restore(const std::vector<JournaledObject>& journaled);
  // Charges the object for its first `needed_bytes`, then runs `then` and
  // hands its result to `done`.  The object cannot be sealed meanwhile.
  void WithCharge(const ObjectRef& object, uint64_t needed_bytes,
                  SpaceWait wait, std::function<Status()> then,
                  Done<void> done);
  void Charged(const ObjectRef& object, uint64_t needed_bytes,
               uint64_t charged_bytes, const std::function<Status()>& then,
               const Done<void>& done);
  Status GrowNow(const ObjectRef& object, uint64_t size_bytes);
  Status ShrinkNow(const ObjectRef& object, uint64_t size_bytes);
  // `freed_bytes` as the object table says it.
  void GiveBack(int64_t freed_bytes);
  // Can one more writer write unseen, without running into the end of memory?
  bool EvictorKeepsAhead() const;
  uint64_t RoundUp(uint64_t bytes) const;
  void DropNow(DroppedSegment dropped);
  Result<ObjectRef> CreateIn(const ObjectId& id, const NewObject& options,
                             const std::optional<RetiredSegment>& recycled);
  // Create, with a recycled segment if one suits.
  Result<ObjectRef> CreateRecycled(const ObjectId& id, uint64_t size_bytes,
                                   const NewObject& options);
  void SetUpSlabs();
  void SetUpPool();
  void SetUpRetriever();
  // The object was deleted: the tier needs no copy of it.
  void ForgetCopy(const ObjectRef& object);
  // `recycled`: the segment to use; none: its memory is charged.
  // A slab with room for `needed_bytes`, unless there is one.
  Status OpenSlab(const std::optional<RetiredSegment>& recycled,
                  uint64_t needed_bytes);
  // One of the pool, if there is any.
  std::optional<RetiredSegment> TakeSlab();
  void GiveUpSlab(const std::optional<RetiredSegment>& recycled);
  // Makes room, and the slab after that ready.
  Status AddSlab(const std::optional<RetiredSegment>& recycled);
  // Gives back what slabs that are nearly empty take.
  void CompactSlabs();
  // Says in the message who uses what.
  Error Explain(const Error& error) const;
  nlohmann::json MemoryJson() const;
  nlohmann::json PoolJson() const;
  nlohmann::json EvictionJson() const;

  const StoreOptions options_;
  LockFile lock_;
  const std::unique_ptr<MemoryPlace> place_;
  SegmentDir segments_;
  ClientRegistry clients_;
  const std::chrono::steady_clock::time_point started_ =
      std::chrono::steady_clock::now();

  Mutex sources_mutex_;
  std::map<std::string, std::function<nlohmann::json()>> sources_
      GUARDED_BY(sources_mutex_);

  uint64_t slab_bytes_ = 0;
  uint64_t small_object_bytes_ = 0;
  bool running_ = false;
  bool abandoned_ = false;  // The memory stays for the next start.
  // Each uses those above it.
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<ObjectTable> table_;
  std::unique_ptr<MemoryBudget> budget_;
  std::unique_ptr<SegmentPool> pool_;
  std::unique_ptr<Orphans> orphans_;
  std::unique_ptr<Housekeeper> housekeeper_;
  std::unique_ptr<WriterWatch> watch_;
  std::unique_ptr<Evictor> evictor_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<Retriever> retriever_;  // Null: there is no tier.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_OBJECT_STORE_H_
