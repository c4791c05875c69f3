// The surroundings of a keeper, without a store.
#ifndef VITRINE_TESTS_STORE_KEEPERS_HOUSE_PARTS_H_
#define VITRINE_TESTS_STORE_KEEPERS_HOUSE_PARTS_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "schema/base/unique_fd.h"
#include "store/segments/memory_budget.h"
#include "store/segments/orphans.h"
#include "store/segments/segment_pool.h"
#include "tests/store/table/table_fixture.h"
#include "tests/support/eventually.h"

namespace vitrine::store {

inline constexpr uint64_t kMiB = 1 << 20;
inline constexpr uint64_t kCapacity = 64 * kMiB;

// A fixture, or part of one.
class HouseParts : public TableFixture {
 protected:
  using TableFixture::TableFixture;

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

  MemoryBudget budget_{kCapacity, 0};
  SegmentPool pool_{&*segments_, &budget_, 16 * kMiB};
  Orphans orphans_{&budget_, &pool_, &accounts_};
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_KEEPERS_HOUSE_PARTS_H_
