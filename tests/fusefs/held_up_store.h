// A store that hands everything on to another one, but keeps reservations of
// memory waiting until it is told to let them go.
#ifndef VITRINE_TESTS_FUSEFS_HELD_UP_STORE_H_
#define VITRINE_TESTS_FUSEFS_HELD_UP_STORE_H_

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fusefs/base/store_names.h"
#include "schema/base/mutex.h"

namespace vitrine::fusefs {

class HeldUpStore : public Store {
 public:
  explicit HeldUpStore(Store* store) : store_(store) {}

  // From now on Reserve and Resize wait.
  void HoldUp() {
    MutexLock lock(mutex_);
    holding_ = true;
  }
  size_t waiting() {
    MutexLock lock(mutex_);
    return waiting_.size();
  }
  // Lets those that wait go on, and later ones at once.
  void LetGo() {
    std::vector<std::function<void()>> going;
    {
      MutexLock lock(mutex_);
      holding_ = false;
      going.swap(waiting_);
    }
    for (auto& go : going) go();
  }

  void Reserve(const ObjectRef& object, uint64_t offset_bytes,
               uint64_t size_bytes, SpaceWait wait, Done<void> done) override {
    Pass([this, object, offset_bytes, size_bytes, wait, done] {
      store_->Reserve(object, offset_bytes, size_bytes, wait, done);
    });
  }
  void Resize(const ObjectRef& object, uint64_t size_bytes, SpaceWait wait,
              Done<void> done) override {
    Pass([this, object, size_bytes, wait, done] {
      store_->Resize(object, size_bytes, wait, done);
    });
  }

  void AbandonStart() override { store_->AbandonStart(); }
  void AddObserver(Observer* observer) override {
    store_->AddObserver(observer);
  }
  void RemoveObserver(Observer* observer) override {
    store_->RemoveObserver(observer);
  }
  void AfterObservers(std::function<void()> done) override {
    store_->AfterObservers(std::move(done));
  }
  store::ClientRegistry& clients() override { return store_->clients(); }
  store::Catalog* catalog() override { return store_->catalog(); }
  Result<ObjectRef> Create(const ObjectId& id,
                           const NewObject& options) override {
    return store_->Create(id, options);
  }
  void CreateSized(const ObjectId& id, uint64_t size_bytes,
                   const NewObject& options, SpaceWait wait,
                   Done<ObjectRef> done) override {
    store_->CreateSized(id, size_bytes, options, wait, std::move(done));
  }
  Result<UniqueFd> OpenForWriting(const ObjectRef& object) override {
    return store_->OpenForWriting(object);
  }
  void NoteWritten(const ObjectRef& object, uint64_t end_bytes) override {
    store_->NoteWritten(object, end_bytes);
  }
  Result<WriteMode> BeginWriting(const ObjectRef& object) override {
    return store_->BeginWriting(object);
  }
  void EndWriting(const ObjectRef& object, WriteMode mode) override {
    store_->EndWriting(object, mode);
  }
  Status SetMode(const ObjectRef& object, mode_t mode) override {
    return store_->SetMode(object, mode);
  }
  Status SetOwner(const ObjectRef& object, uid_t uid, gid_t gid) override {
    return store_->SetOwner(object, uid, gid);
  }
  Status SetModified(const ObjectRef& object, int64_t modified_ns) override {
    return store_->SetModified(object, modified_ns);
  }
  Status SetMetadata(const ObjectRef& object, const std::string& name,
                     std::optional<std::string> value) override {
    return store_->SetMetadata(object, name, std::move(value));
  }
  Status Rename(const ObjectRef& object, const ObjectId& id,
                bool no_replace) override {
    return store_->Rename(object, id, no_replace);
  }
  Status Seal(const ObjectRef& object, const ObjectId& id) override {
    return store_->Seal(object, id);
  }
  Status Abort(const ObjectRef& object) override {
    return store_->Abort(object);
  }
  uint64_t small_object_bytes() const override {
    return store_->small_object_bytes();
  }
  void PutSmall(const Credentials& creator,
                std::span<const SmallObject> objects,
                std::vector<Status>* results) override {
    store_->PutSmall(creator, objects, results);
  }
  void AddRoom(SpaceWait wait, Done<void> done, const void* whose) override {
    store_->AddRoom(wait, std::move(done), whose);
  }
  void EndWaitsForRoom(const void* whose) override {
    store_->EndWaitsForRoom(whose);
  }
  Result<ObjectRef> FindSealed(const ObjectId& id) override {
    return store_->FindSealed(id);
  }
  Result<ObjectRef> FindUnsealed(const ObjectId& id) override {
    return store_->FindUnsealed(id);
  }
  Status Delete(const ObjectRef& object, const Credentials& who) override {
    return store_->Delete(object, who);
  }
  void Want(const ObjectId& id, SpaceWait wait, Done<void> done) override {
    store_->Want(id, wait, std::move(done));
  }
  Status SetHold(const ObjectRef& object, bool hold,
                 const Credentials& who) override {
    return store_->SetHold(object, hold, who);
  }
  void Evict(uint64_t bytes, Done<uint64_t> done) override {
    store_->Evict(bytes, std::move(done));
  }
  ObjectInfo Info(const ObjectRef& object) override {
    return store_->Info(object);
  }
  std::shared_ptr<const Metadata> GetMetadata(
      const ObjectRef& object) override {
    return store_->GetMetadata(object);
  }
  Result<UniqueFd> OpenForReading(const ObjectRef& object) override {
    return store_->OpenForReading(object);
  }
  Result<std::shared_ptr<SegmentFile>> Share(const ObjectRef& object) override {
    return store_->Share(object);
  }
  bool InUse(const ObjectRef& object) override { return store_->InUse(object); }
  void Touch(const ObjectRef& object) override { store_->Touch(object); }
  std::string SegmentPath(const ObjectRef& object) override {
    return store_->SegmentPath(object);
  }
  std::vector<ObjectRef> List(ObjectState state) override {
    return store_->List(state);
  }
  std::vector<ListedObject> Describe(std::span<const ObjectRef> objects,
                                     ObjectState state) override {
    return store_->Describe(objects, state);
  }
  Usage GetUsage() override { return store_->GetUsage(); }
  nlohmann::json StatusJson() override { return store_->StatusJson(); }
  void SetStatusSource(const std::string& name,
                       std::function<nlohmann::json()> source) override {
    store_->SetStatusSource(name, std::move(source));
  }
  const std::string& memory_dir() const override {
    return store_->memory_dir();
  }
  const std::string& state_dir() const override { return store_->state_dir(); }
  uint64_t page_bytes() const override { return store_->page_bytes(); }
  std::string DescribeMemory() const override {
    return store_->DescribeMemory();
  }
  Result<UniqueFd> OpenIndex() override { return store_->OpenIndex(); }
  Result<UniqueFd> OpenSegmentDir() override {
    return store_->OpenSegmentDir();
  }

 private:
  void Pass(std::function<void()> go) {
    {
      MutexLock lock(mutex_);
      if (holding_) {
        waiting_.push_back(std::move(go));
        return;
      }
    }
    go();
  }

  Store* const store_;
  Mutex mutex_;
  bool holding_ GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> waiting_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_TESTS_FUSEFS_HELD_UP_STORE_H_
