#include "store/table/table_walk.h"

#include <algorithm>

namespace vitrine::store {
namespace {

// Some 0.2 ms of the table's lock.
constexpr size_t kPage = 1024;

// First the unsealed, of which there are few, then the slots of the sealed:
// what is sealed meanwhile is told as an event anyway.
class TableWalk : public LiveObjects {
 public:
  explicit TableWalk(ObjectTable* table) : table_(table) {}

  size_t Count() override {
    const auto [sealed, unsealed] = table_->queries().CountObjects();
    return sealed + unsealed;
  }

  bool ReadPage(uint64_t* place, std::vector<ObjectInfo>* infos) override {
    if (*place == 0) unsealed_ = table_->queries().List(ObjectState::kUnsealed);
    if (*place < unsealed_.size()) {
      ReadUnsealed(place, infos);
      return true;
    }
    uint64_t slot = *place - unsealed_.size();
    const bool more = table_->queries().ReadSlots(&slot, kPage, infos);
    *place = slot + unsealed_.size();
    return more;
  }

  std::vector<bool> AreAlive(std::span<const KnownObject> objects) override {
    unsealed_ = {};  // Those pages are written.
    std::vector<bool> alive;
    alive.reserve(objects.size());
    while (!objects.empty()) {
      const size_t count = std::min(objects.size(), kPage);
      for (const bool is : table_->queries().AreAlive(objects.first(count))) {
        alive.push_back(is);
      }
      objects = objects.subspan(count);
    }
    return alive;
  }

 private:
  void ReadUnsealed(uint64_t* place, std::vector<ObjectInfo>* infos) {
    const uint64_t end = std::min<uint64_t>(*place + kPage, unsealed_.size());
    for (; *place < end; ++*place) {
      ObjectInfo info = table_->queries().Info(unsealed_[*place]);
      if (info.state != ObjectState::kGone) infos->push_back(std::move(info));
    }
  }

  ObjectTable* const table_;
  std::vector<ObjectRef> unsealed_;
};

}  // namespace

std::unique_ptr<LiveObjects> MakeTableWalk(ObjectTable* table) {
  return std::make_unique<TableWalk>(table);
}

}  // namespace vitrine::store
