// See StoreFacts.
#ifndef VITRINE_STORE_ROLES_FACTS_ROLE_H_
#define VITRINE_STORE_ROLES_FACTS_ROLE_H_

#include <functional>
#include <map>
#include <string>

#include "schema/base/mutex.h"
#include "store/base/roles.h"
#include "store/roles/store_parts.h"

namespace vitrine::store {

// `parts` and `small` must outlive it.
class FactsRole final : public StoreFacts {
 public:
  FactsRole(StoreParts* parts, const SmallPuts* small)
      : parts_(parts), small_(small) {}

  Usage GetUsage() override;
  StatusSection GetStatus() override;
  void SetStatusSource(const std::string& name,
                       std::function<StatusSection()> source) override;
  Accounts& accounts() override { return parts_->accounts; }
  const std::string& memory_dir() const override {
    return parts_->place->memory_dir();
  }
  const std::string& state_dir() const override {
    return parts_->options.state_dir;
  }
  uint64_t page_bytes() const override { return parts_->segments.page_bytes(); }
  uint64_t write_bytes() const override {
    return parts_->segments.write_bytes();
  }
  std::string DescribeMemory() const override {
    return parts_->place->Describe() +
           (parts_->segments.collapses() ? ", collapsed to huge pages" : "");
  }
  std::string DescribeRestart() const override {
    return parts_->restart.Describe();
  }
  Result<UniqueFd> OpenIndex() override {
    return parts_->table->queries().OpenIndex();
  }
  Result<UniqueFd> OpenSegmentDir() override {
    return parts_->segments.OpenPath();
  }

 private:
  StatusSection GetMemoryStatus() const;

  Mutex sources_mutex_;
  std::map<std::string, std::function<StatusSection()>> sources_
      GUARDED_BY(sources_mutex_);

  StoreParts* const parts_;
  const SmallPuts* const small_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_FACTS_ROLE_H_
