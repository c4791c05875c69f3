// An external store in a page, to be copied: `hashtable://NAME` keeps values in
// the memory of the store's own process, under a name.  It is of no use but as
// an example, since memory is what one spills for.
//
// Build it into a store from any directory:
//
//   cmake -S vitrine -B build -DEXTERNAL_STORE_SOURCES=$PWD/hashtable_store.cc
//
// Libraries that it needs go into EXTERNAL_STORE_LIBRARIES.  Then
// `external_store_check hashtable://a` tells whether it keeps its promises.
#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/tiers/external_store.h"

namespace {

using vitrine::Code;
using vitrine::Error;
using vitrine::Result;
using vitrine::Status;
using vitrine::store::ExternalStore;
using vitrine::store::ExternalStoreHandle;

// What all handles of one name share.
struct Table {
  using Value = std::shared_ptr<const std::vector<std::byte>>;
  std::mutex mutex;
  std::map<std::string, Value, std::less<>> values;
};

// Each thread of the store has a handle of its own, so that it needs no lock
// for, say, a connection.
class Handle : public ExternalStoreHandle {
 public:
  explicit Handle(std::shared_ptr<Table> table) : table_(std::move(table)) {}

  // All or nothing: the value is made first, and then takes its place.
  Status Put(std::string_view name, std::span<const Part> parts) override {
    std::vector<std::byte> value;
    for (const Part& part : parts) {
      value.insert(value.end(), part.begin(), part.end());
    }
    const std::lock_guard lock(table_->mutex);
    table_->values[std::string(name)] =
        std::make_shared<const std::vector<std::byte>>(std::move(value));
    return Status();
  }

  Status Get(std::string_view name, uint64_t offset_bytes,
             std::span<std::byte> bytes) override {
    const Table::Value value = Find(name);
    if (value == nullptr) return Error{Code::kNotFound, std::string(name)};
    if (bytes.size() > value->size() ||
        offset_bytes > value->size() - bytes.size()) {
      return Error{Code::kCorruption, std::string(name) + " ends before"};
    }
    std::copy_n(value->data() + offset_bytes, bytes.size(), bytes.begin());
    return Status();
  }

  Status Delete(std::span<const std::string> names) override {
    const std::lock_guard lock(table_->mutex);
    for (const std::string& name : names) table_->values.erase(name);
    return Status();
  }

  Status List(const Visitor& visit) override {
    const std::lock_guard lock(table_->mutex);
    for (const auto& [name, value] : table_->values) visit(name, value->size());
    return Status();
  }

 private:
  Table::Value Find(std::string_view name) {
    const std::lock_guard lock(table_->mutex);
    const auto found = table_->values.find(name);
    return found == table_->values.end() ? nullptr : found->second;
  }

  const std::shared_ptr<Table> table_;
};

// This registers the scheme.
const ExternalStore::Scheme kHashtable(
    "hashtable",
    [](std::string_view url) -> Result<std::unique_ptr<ExternalStoreHandle>> {
      static std::mutex mutex;
      static std::map<std::string, std::shared_ptr<Table>> tables;
      const std::lock_guard lock(mutex);
      std::shared_ptr<Table>& table = tables[std::string(url)];
      if (table == nullptr) table = std::make_shared<Table>();
      return std::unique_ptr<ExternalStoreHandle>(
          std::make_unique<Handle>(table));
    });

}  // namespace
