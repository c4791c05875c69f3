#include "store/roles/store_metrics.h"

#include <algorithm>
#include <utility>

namespace vitrine::store {
namespace {

using Budget = MemoryBudget::Numbers;
using Table = TableQueries::Numbers;
using Dropped = Orphans::Numbers;
using Pool = SegmentPool::Numbers;
using Writers = WriterWatch::Numbers;
using Evictions = Evictor::Numbers;
using Copies = SealCopier::Numbers;

uint64_t UptimeSeconds(const ProcessFacts& facts) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(facts.uptime);
  return static_cast<uint64_t>(seconds.count());
}

struct CapacityFacts {
  uint64_t capacity_bytes;
  uint64_t used_bytes;
  uint64_t free_bytes;
};

CapacityFacts CapacityOf(const Budget& budget, uint64_t budgeted_client_bytes) {
  return {.capacity_bytes = budget.capacity_bytes,
          .used_bytes = budget.used_bytes -
                        std::min(budget.used_bytes, budgeted_client_bytes),
          .free_bytes = budget.capacity_bytes -
                        std::min(budget.capacity_bytes, budget.used_bytes)};
}

std::string PolicyName(const Table& /*table*/) { return "lru"; }

constexpr MetricOf<ProcessFacts> kStoreMetrics[] = {
    Info<&ProcessFacts::version>("version", "The version of the store."),
    Info<&ProcessFacts::pid>("pid", "The process of the store."),
    Info<&ProcessFacts::uid>("uid", "The user who runs the store."),
    Gauge<&UptimeSeconds>("uptime_s", "Time since the store was started.",
                          MetricUnit::kSeconds),
    Info<&ProcessFacts::state_dir>("state_dir",
                                   "The directory that holds the catalog."),
    Gauge<&ProcessFacts::dedicated_threshold_bytes>(
        "dedicated_threshold_bytes",
        "Objects of at least this size have segments of their own.",
        MetricUnit::kBytes)};

constexpr MetricOf<CapacityFacts> kCapacityMetrics[] = {
    Gauge<&CapacityFacts::capacity_bytes>(
        "capacity_bytes", "Memory that the store may take for objects.",
        MetricUnit::kBytes),
    Gauge<&CapacityFacts::used_bytes>(
        "used_bytes", "Memory that is charged for objects, without the pool.",
        MetricUnit::kBytes),
    Gauge<&CapacityFacts::free_bytes>(
        "free_bytes", "Capacity that neither objects nor clients have.",
        MetricUnit::kBytes)};

constexpr MetricOf<Table> kFileMetrics[] = {
    Gauge<&Table::index_bytes>("index_bytes",
                               "Size of the index that clients map.",
                               MetricUnit::kBytes),
    Gauge<&Table::journal_bytes>(
        "journal_bytes", "Size of the journal that a restart would replay.",
        MetricUnit::kBytes)};

constexpr MetricOf<RestartReport> kRestartMetrics[] = {
    Gauge<&RestartReport::restored_objects>(
        "restored_objects", "Objects of a killed store that this one has."),
    Gauge<&RestartReport::damaged_places>(
        "damaged_places", "Places where its journal could not be read."),
    Gauge<&RestartReport::damaged_bytes>(
        "damaged_bytes", "Size of those places.", MetricUnit::kBytes),
    Gauge<&RestartReport::lost_objects>(
        "lost_objects", "Objects that it had and that are lost."),
    Gauge<&RestartReport::lost_bytes>("lost_bytes", "Size of those objects.",
                                      MetricUnit::kBytes),
    Gauge<&RestartReport::freed_segments>(
        "freed_segments", "Segments that were given back as they had no name."),
    Gauge<&RestartReport::freed_bytes>(
        "freed_bytes", "Memory that those segments took.", MetricUnit::kBytes),
    Gauge<&RestartReport::evicted_objects>(
        "evicted_objects", "Objects that did not fit the capacity."),
    Gauge<&RestartReport::evicted_bytes>(
        "evicted_bytes", "Size of those objects.", MetricUnit::kBytes)};

constexpr MetricOf<Table> kObjectMetrics[] = {
    Gauge<&Table::sealed_objects>("sealed",
                                  "Sealed objects, in memory or elsewhere."),
    Gauge<&Table::sealed_bytes>("sealed_bytes",
                                "Memory that sealed objects are charged for.",
                                MetricUnit::kBytes),
    Gauge<&Table::elsewhere_objects>(
        "elsewhere", "Sealed objects whose bytes are only in a tier."),
    Gauge<&Table::elsewhere_bytes>("elsewhere_bytes", "Size of those objects.",
                                   MetricUnit::kBytes),
    Gauge<&Table::held_objects>("held",
                                "Sealed objects that a hold keeps in memory."),
    Gauge<&Table::held_bytes>("held_bytes", "Size of all held objects.",
                              MetricUnit::kBytes),
    Gauge<&Table::unsealed_objects>("unsealed",
                                    "Objects that are being written."),
    Gauge<&Table::unsealed_bytes>("unsealed_bytes",
                                  "Size of all objects that are being written.",
                                  MetricUnit::kBytes),
    Gauge<&Table::blanks>(
        "blanks", "Segments that clients have ahead of objects to come."),
    Gauge<&Table::blank_bytes>(
        "blank_bytes", "Memory that those segments take.", MetricUnit::kBytes)};

constexpr MetricOf<Dropped> kOrphanMetrics[] = {
    Gauge<&Dropped::count>(
        "deleted_in_use",
        "Segments of deleted objects that somebody still has open or mapped."),
    Gauge<&Dropped::bytes>("deleted_in_use_bytes",
                           "Memory that those segments take.",
                           MetricUnit::kBytes)};

using Abandoned = AbandonedWatch::Numbers;

constexpr MetricOf<Abandoned> kAbandonedMetrics[] = {
    Gauge<&Abandoned::objects>(
        "objects",
        "Unsealed objects of the mount that nobody has had open or changed for "
        "five minutes."),
    Gauge<&Abandoned::bytes>("bytes", "Memory that those take.",
                             MetricUnit::kBytes),
    Info<&Abandoned::oldest_id>("oldest_id", "The one that was left first."),
    Info<&Abandoned::oldest_uid>("oldest_uid", "Its owner."),
    Info<&Abandoned::oldest_pid>("oldest_pid", "The process that made it."),
    Info<&Abandoned::oldest_created_ns>("oldest_created_ns",
                                        "When it was made, since 1970."),
    Gauge<&Abandoned::oldest_seconds>("oldest_unused_s",
                                      "For how long it has been unused.",
                                      MetricUnit::kSeconds),
    Counter<&Abandoned::aborted>("aborted",
                                 "Objects that --abandon-after has aborted.")};

constexpr MetricOf<Table> kSlabMetrics[] = {
    Gauge<&Table::slabs>("count", "Segments that small objects share."),
    Gauge<&Table::slab_bytes>("bytes", "Memory that slabs take.",
                              MetricUnit::kBytes),
    Gauge<&Table::slab_objects>("objects", "Objects in slabs."),
    Counter<&Table::moved_objects>(
        "moved_objects", "Objects that compaction moved to another slab.")};

struct SlabLimits {
  uint64_t most_object_bytes;
};

constexpr MetricOf<SlabLimits> kSlabLimitMetrics[] = {
    Gauge<&SlabLimits::most_object_bytes>(
        "most_object_bytes", "Size of the largest objects that go to slabs.",
        MetricUnit::kBytes)};

constexpr MetricOf<MemoryFacts> kMemoryMetrics[] = {
    Info<&MemoryFacts::directory>("directory",
                                  "The directory that holds the memory."),
    Info<&MemoryFacts::kind>("kind", "What kind of memory it is."),
    Gauge<&MemoryFacts::huge_pages>("huge_pages",
                                    "Whether objects get huge pages."),
    Gauge<&MemoryFacts::collapses>(
        "collapses", "Whether small pages are collapsed to huge ones."),
    Counter<&MemoryFacts::collapsed_bytes>(
        "collapsed_bytes",
        "Memory that was given out or kept ready after such a collapse.",
        MetricUnit::kBytes),
    Info<&MemoryFacts::numa>("numa", "How memory is placed on NUMA nodes."),
    Gauge<&MemoryFacts::page_bytes>("page_bytes",
                                    "Sizes of segments are multiples of this.",
                                    MetricUnit::kBytes),
    Gauge<&MemoryFacts::overshoot_bytes>(
        "overshoot_bytes",
        "Memory beyond the capacity, for writers that the store does not see.",
        MetricUnit::kBytes),
    Gauge<&MemoryFacts::client_bytes>(
        "client_bytes",
        "Memory for clients: pages, rings, texts and writes of the mount.",
        MetricUnit::kBytes)};

constexpr MetricOf<Budget> kShortageMetrics[] = {
    Gauge<&Budget::low_water_bytes>("low_water_bytes",
                                    "Memory that the evictor keeps free.",
                                    MetricUnit::kBytes),
    Gauge<&Budget::lacking_bytes>(
        "lacking_bytes",
        "Of the capacity, what others have taken of the file system or what is "
        "kept back while memory is short.",
        MetricUnit::kBytes),
    Gauge<&Budget::waiters>("waiters", "Requests that wait for memory."),
    Gauge<&Budget::waiting_bytes>("waiting_bytes",
                                  "Memory that those requests wait for.",
                                  MetricUnit::kBytes)};

constexpr MetricOf<Writers> kWriterMetrics[] = {
    Gauge<&Writers::writers>("passthrough_writers",
                             "Files that are open for writing past the store."),
    Counter<&Writers::outran>("writers_outran_evictor",
                              "Times that such writers used the whole "
                              "overshoot before memory was freed.")};

constexpr MetricOf<Pool> kPoolMetrics[] = {
    Gauge<&Pool::segments>("segments",
                           "Segments that are kept for new objects."),
    Gauge<&Pool::bytes>("bytes", "Memory that those segments take.",
                        MetricUnit::kBytes),
    Gauge<&Pool::limit_bytes>("limit_bytes", "Memory that they may take.",
                              MetricUnit::kBytes),
    Counter<&Pool::reused>("reused", "Segments that a new object got."),
    Counter<&Pool::handed_over>(
        "handed_over", "Of these, those that went to an object that waited."),
    Counter<&Pool::missed>("missed",
                           "New objects for which there was no segment."),
    Counter<&Pool::prepared>("prepared",
                             "Segments that were made ahead of time.")};

constexpr MetricOf<Copies> kCopyMetrics[] = {
    Gauge<&Copies::under_way>("under_way",
                              "Objects that are just being copied."),
    Counter<&Copies::objects>(
        "objects",
        "Objects that were copied as their writers may have kept pages."),
    Counter<&Copies::bytes>("bytes", "Size of all that was copied.",
                            MetricUnit::kBytes),
    Counter<&Copies::waits>(
        "waits", "Times that others took the memory that a copy gave back.")};

constexpr MetricOf<Table> kEvictedMetrics[] = {
    Info<&PolicyName>("policy", "What decides which object is evicted next."),
    Gauge<&Table::evictable_segments>("evictable_segments",
                                      "Segments that could be evicted."),
    Counter<&Table::evicted_objects>("evicted_objects",
                                     "Objects that were evicted."),
    Counter<&Table::evicted_bytes>(
        "evicted_bytes", "Size of all evicted objects.", MetricUnit::kBytes),
    Counter<&Table::returned_objects>(
        "returned_objects", "Objects that came back into memory from a tier.")};

constexpr MetricOf<Evictions> kEvictorMetrics[] = {
    Counter<&Evictions::batches>("batches",
                                 "Times that victims were looked for."),
    Counter<&Evictions::busy>(
        "busy", "Victims that stayed as somebody had them open or mapped."),
    Counter<&Evictions::recalls>(
        "recalls", "Requests to clients to unmap what they only keep."),
    Counter<&Evictions::stuck>("stuck",
                               "Shortages that no eviction could end."),
    Counter<&Evictions::taken_back>(
        "taken_back", "Victims that were wanted while they were leaving."),
    Counter<&Evictions::carry_failures>(
        "carry_failures", "Batches of which a tier did not take everything.")};

using Pressure = PressureWatch::Numbers;

constexpr MetricOf<Pressure> kPressureMetrics[] = {
    Gauge<&Pressure::is_short>(
        "short", "Whether memory is short, so that the store takes less."),
    Info<&Pressure::problem>("problem",
                             "What is short, and the remedy; empty: nothing."),
    Info<&Pressure::limited_by>("limited_by",
                                "The limit that leaves the least room."),
    Gauge<&Pressure::room_bytes>(
        "room_bytes", "Memory that can still be taken under that limit.",
        MetricUnit::kBytes),
    Gauge<&Pressure::reserve_bytes>(
        "reserve_bytes", "Memory that the store leaves free under it.",
        MetricUnit::kBytes),
    Gauge<&Pressure::limit_bytes>(
        "limit_bytes", "Memory that the store takes at most, at present.",
        MetricUnit::kBytes),
    Gauge<&Pressure::short_seconds>(
        "short_s", "For how long memory has been short.", MetricUnit::kSeconds),
    Counter<&Pressure::times_short>("times_short",
                                    "Times that memory became short."),
    Counter<&Pressure::evicted_objects>(
        "evicted_objects", "Objects that were evicted while it was short."),
    Counter<&Pressure::evicted_bytes>("evicted_bytes", "Size of those objects.",
                                      MetricUnit::kBytes)};

constexpr MetricOf<Retriever::Numbers> kRetrieverMetrics[] = {
    Gauge<&Retriever::Numbers::waiting>(
        "waiting", "Objects that are on their way back into memory."),
    Counter<&Retriever::Numbers::failures>(
        "failures", "Times that an object could not be brought back.")};

}  // namespace

StatusSection StoreSection(const ProcessFacts& facts, const Budget& budget,
                           uint64_t budgeted_client_bytes, const Table& table) {
  StatusSection section = MakeSection(kStoreMetrics, facts);
  section.Add(kCapacityMetrics, CapacityOf(budget, budgeted_client_bytes));
  section.Add(kFileMetrics, table);
  return section;
}

StatusSection RestartSection(const RestartReport& restart) {
  return MakeSection(kRestartMetrics, restart);
}

StatusSection ObjectsSection(const Table& table, const Dropped& orphans) {
  StatusSection section = MakeSection(kObjectMetrics, table);
  section.Add(kOrphanMetrics, orphans);
  return section;
}

StatusSection AbandonedSection(const Abandoned& abandoned) {
  return MakeSection(kAbandonedMetrics, abandoned);
}

StatusSection SlabsSection(const Table& table, uint64_t most_object_bytes) {
  StatusSection section = MakeSection(kSlabMetrics, table);
  section.Add(kSlabLimitMetrics, SlabLimits{most_object_bytes});
  return section;
}

StatusSection MemorySection(const MemoryFacts& facts, const Budget& budget,
                            const Writers& writers) {
  StatusSection section = MakeSection(kMemoryMetrics, facts);
  section.Add(kShortageMetrics, budget);
  section.Add(kWriterMetrics, writers);
  return section;
}

StatusSection PoolSection(const Pool& pool) {
  return MakeSection(kPoolMetrics, pool);
}

StatusSection SealCopiesSection(const Copies& copies) {
  return MakeSection(kCopyMetrics, copies);
}

StatusSection PressureSection(const Pressure& pressure) {
  return MakeSection(kPressureMetrics, pressure);
}

StatusSection RetrieverSection(const Retriever::Numbers& retriever) {
  return MakeSection(kRetrieverMetrics, retriever);
}

StatusSection EvictionSection(const Table& table, const Evictions& evictor) {
  StatusSection section = MakeSection(kEvictedMetrics, table);
  section.Add(kEvictorMetrics, evictor);
  return section;
}

}  // namespace vitrine::store
