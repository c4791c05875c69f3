// An object table without a store around it.
#ifndef VITRINE_TESTS_STORE_TABLE_TABLE_FIXTURE_H_
#define VITRINE_TESTS_STORE_TABLE_TABLE_FIXTURE_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/table/object_table.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kSlab = 64 << 10;

class TableFixture : public testing::Test {
 protected:
  explicit TableFixture(const std::string& place = "/dev/shm") : dir_(place) {
    for (const char* name : {"/segments", "/retired"}) {
      std::filesystem::create_directory(dir_.path() + name);
    }
    segments_.emplace(
        *SegmentDir::Open(dir_.path() + "/segments", dir_.path() + "/retired"));
    JournalContents none;
    table_ = std::make_unique<ObjectTable>(
        &*segments_, &clients_, &accounts_,
        *IndexWriter::Create(dir_.path() + "/index"),
        *Journal::Open(dir_.path() + "/journal", &none), MakeLruPolicy());
  }

  // A sealed object of one page with a segment of its own.
  ObjectRef Seal(const std::string& id, uid_t uid = 0) {
    const auto object = *table_->unsealed().Insert(*ObjectId::FromText(id),
                                                   {.creator = {.uid = uid}});
    EXPECT_TRUE(segments_->SetSize(NumberOf(*object), kPage));
    EXPECT_TRUE(segments_->Reserve(NumberOf(*object), 0, kPage));
    EXPECT_TRUE(
        table_->sealing().Seal(object, *ObjectId::FromText(id), 1 << 20));
    return object;
  }

  // Sealed objects in one slab, which is closed.
  std::vector<ObjectRef> PutInSlab(const std::vector<std::string>& ids,
                                   uid_t uid = 0) {
    EXPECT_TRUE(table_->slabs().OpenSlab(kSlab));
    const std::string data(100, 's');
    std::vector<ObjectRef> objects;
    for (const std::string& id : ids) {
      const SmallObject small{*ObjectId::FromText(id), 0644,
                              std::as_bytes(std::span(data))};
      std::vector<Status> results;
      table_->slabs().PutSmall({.uid = uid}, {&small, 1}, &results);
      EXPECT_TRUE(results.size() == 1 && results[0]);
      objects.push_back(*table_->sealed().FindSealed(small.id));
    }
    (void)table_->slabs().CloseOpenSlab();
    return objects;
  }

  ScratchDir dir_;
  std::optional<SegmentDir> segments_;
  ClientRegistry clients_;
  Accounts accounts_{0};
  std::unique_ptr<ObjectTable> table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_TABLE_TABLE_FIXTURE_H_
