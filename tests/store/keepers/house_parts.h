// What those who keep house stand on, without the store around it.
#ifndef VITRINE_TESTS_STORE_KEEPERS_HOUSE_PARTS_H_
#define VITRINE_TESTS_STORE_KEEPERS_HOUSE_PARTS_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/unique_fd.h"
#include "store/index/client_registry.h"
#include "store/index/index_writer.h"
#include "store/journal/journal.h"
#include "store/segments/memory_budget.h"
#include "store/segments/orphans.h"
#include "store/segments/segment_dir.h"
#include "store/segments/segment_pool.h"
#include "store/table/eviction_policy.h"
#include "store/table/object_table.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {

inline constexpr uint64_t kMiB = 1 << 20;
inline constexpr uint64_t kCapacity = 64 * kMiB;

// A fixture, or part of one.
class HouseParts : public testing::Test {
 protected:
  explicit HouseParts(const std::string& place = "/dev/shm") : scratch_(place) {
    const std::string path = scratch_.path();
    std::filesystem::create_directory(path + "/segments");
    std::filesystem::create_directory(path + "/retired");
    segments_.emplace(*SegmentDir::Open(path + "/segments", path + "/retired"));
    std::vector<JournaledObject> journaled;
    table_ = std::make_unique<ObjectTable>(
        &*segments_, &clients_, *IndexWriter::Create(path + "/index"),
        *Journal::Open(path + "/journal", &journaled), MakeLruPolicy());
    pool_.emplace(&*segments_, &budget_, 16 * kMiB);
    orphans_.emplace(&budget_, &*pool_);
  }

  ObjectRef Insert(const std::string& id) {
    auto object = table_->unsealed().Insert(*ObjectId::FromText(id), {});
    EXPECT_TRUE(object) << object.error().ToString();
    return *object;
  }
  UniqueFd OpenToWrite(const ObjectRef& object) {
    auto fd = table_->unsealed().OpenForWriting(object);
    EXPECT_TRUE(fd) << fd.error().ToString();
    return *std::move(fd);
  }
  // As somebody does whom the store does not see.
  static void Append(const UniqueFd& fd, uint64_t bytes) {
    const std::string text(bytes, 'x');
    EXPECT_EQ(::write(fd.get(), text.data(), bytes),
              static_cast<ssize_t>(bytes));
  }

  uint64_t charged_bytes(const ObjectRef& object) {
    return table_->queries().Info(object).charged_bytes;
  }
  uint64_t used_bytes() const { return budget_.Get().used_bytes; }
  bool UsesSoon(uint64_t bytes) {
    return Eventually([&] { return used_bytes() == bytes; });
  }

  ScratchDir scratch_;
  std::optional<SegmentDir> segments_;
  ClientRegistry clients_;
  MemoryBudget budget_{kCapacity, 0};
  std::optional<SegmentPool> pool_;
  std::optional<Orphans> orphans_;
  std::unique_ptr<ObjectTable> table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_KEEPERS_HOUSE_PARTS_H_
