// The catalog's values of `status`.
#ifndef VITRINE_STORE_CATALOG_CATALOG_METRICS_H_
#define VITRINE_STORE_CATALOG_CATALOG_METRICS_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "store/catalog/catalog_batch.h"
#include "store/metrics/status_section.h"

namespace vitrine::store {

struct CatalogNumbers {
  std::string path;
  int64_t version;
  uint64_t pending;
  uint64_t limit;
  uint64_t reconciling;
  uint64_t written;
  uint64_t commits;
  uint64_t failed;
  std::string last_error;
  std::string problem;
  std::chrono::steady_clock::duration lag;
  uint64_t wal_bytes;
  bool degraded;
  bool behind;
  uint64_t times_behind;
  uint64_t times_damaged;
  std::string set_aside;
  CatalogBatch::Dropped dropped;
};

StatusSection CatalogSection(const CatalogNumbers& numbers);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_METRICS_H_
