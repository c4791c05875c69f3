// The store's own values of `status`.
#ifndef VITRINE_STORE_ROLES_STORE_METRICS_H_
#define VITRINE_STORE_ROLES_STORE_METRICS_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "store/base/restart_report.h"
#include "store/keepers/abandoned_watch.h"
#include "store/keepers/evictor.h"
#include "store/keepers/pressure_watch.h"
#include "store/keepers/retriever.h"
#include "store/keepers/seal_copier.h"
#include "store/keepers/writer_watch.h"
#include "store/metrics/status_section.h"
#include "store/segments/memory_budget.h"
#include "store/segments/orphans.h"
#include "store/segments/segment_pool.h"
#include "store/table/table_queries.h"

namespace vitrine::store {

struct ProcessFacts {
  std::string version;
  pid_t pid;
  uid_t uid;
  std::chrono::steady_clock::duration uptime;
  std::string state_dir;
  uint64_t dedicated_threshold_bytes;
};

struct MemoryFacts {
  std::string directory;
  std::string kind;
  bool huge_pages;
  bool collapses;
  uint64_t collapsed_bytes;
  std::string numa;
  uint64_t page_bytes;
  uint64_t overshoot_bytes;
  uint64_t client_bytes;
};

// The values that stand outside all sections.
StatusSection StoreSection(const ProcessFacts& facts,
                           const MemoryBudget::Numbers& budget,
                           uint64_t budgeted_client_bytes,
                           const TableQueries::Numbers& table);
StatusSection RestartSection(const RestartReport& restart);
StatusSection ObjectsSection(const TableQueries::Numbers& table,
                             const Orphans::Numbers& orphans);
StatusSection AbandonedSection(const AbandonedWatch::Numbers& abandoned);
StatusSection SlabsSection(const TableQueries::Numbers& table,
                           uint64_t most_object_bytes);
StatusSection MemorySection(const MemoryFacts& facts,
                            const MemoryBudget::Numbers& budget,
                            const WriterWatch::Numbers& writers);
StatusSection PressureSection(const PressureWatch::Numbers& pressure);
StatusSection PoolSection(const SegmentPool::Numbers& pool);
StatusSection SealCopiesSection(const SealCopier::Numbers& copies);
StatusSection RetrieverSection(const Retriever::Numbers& retriever);
StatusSection EvictionSection(const TableQueries::Numbers& table,
                              const Evictor::Numbers& evictor);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_STORE_METRICS_H_
