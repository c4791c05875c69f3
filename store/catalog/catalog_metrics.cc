#include "store/catalog/catalog_metrics.h"

namespace vitrine::store {
namespace {

uint64_t LagMs(const CatalogNumbers& numbers) {
  const auto lag =
      std::chrono::duration_cast<std::chrono::milliseconds>(numbers.lag);
  return static_cast<uint64_t>(lag.count());
}

using DroppedRows = CatalogBatch::Dropped;

constexpr MetricOf<CatalogNumbers> kCatalogMetrics[] = {
    Info<&CatalogNumbers::path>("path", "The file of the database."),
    Info<&CatalogNumbers::version>("version", "The version of its schema."),
    Gauge<&CatalogNumbers::pending>(
        "pending", "Changes that the database does not have yet."),
    Gauge<&CatalogNumbers::limit>(
        "limit", "Changes that may wait before any is dropped."),
    Gauge<&CatalogNumbers::reconciling>(
        "reconciling", "Objects that a reconcile is still to look at."),
    Counter<&CatalogNumbers::written>("written", "Rows that were written."),
    Counter<&CatalogNumbers::commits>("commits",
                                      "Transactions that were committed."),
    Counter<&CatalogNumbers::failed>("failed",
                                     "Attempts to write that failed."),
    Info<&CatalogNumbers::last_error>("last_error",
                                      "Why the last of them failed."),
    Info<&CatalogNumbers::problem>(
        "problem",
        "What keeps the database from being written, and the remedy; empty: "
        "nothing."),
    Gauge<&LagMs>(
        "lag_ms",
        "Age of the oldest change that the database lacks, dropped or not.",
        MetricUnit::kMilliseconds),
    Gauge<&CatalogNumbers::wal_bytes>(
        "wal_bytes", "Size of the write-ahead log of the database.",
        MetricUnit::kBytes),
    Gauge<&CatalogNumbers::degraded>(
        "degraded",
        "Whether writing fails at present, or something is being dropped as "
        "writing cannot follow."),
    Gauge<&CatalogNumbers::behind>(
        "behind",
        "Whether what was dropped is yet to be found by a reconcile."),
    Counter<&CatalogNumbers::times_behind>(
        "times_behind", "Times that the catalog fell behind."),
    Counter<&CatalogNumbers::times_damaged>(
        "times_damaged",
        "Damaged databases that were set aside and begun anew."),
    Info<&CatalogNumbers::set_aside>(
        "set_aside", "The name that the last of them has now.")};

constexpr MetricOf<DroppedRows> kDroppedMetrics[] = {
    Counter<&DroppedRows::events>("events", "Events that the history lacks."),
    Counter<&DroppedRows::objects>(
        "objects", "Changes of objects that were left to a reconcile."),
    Counter<&DroppedRows::clients>("clients",
                                   "Clients that the database lacks."),
    Counter<&DroppedRows::uses>("uses", "Notes of use that were dropped.")};

}  // namespace

StatusSection CatalogSection(const CatalogNumbers& numbers) {
  StatusSection section = MakeSection(kCatalogMetrics, numbers);
  section.AddPart("dropped", MakeSection(kDroppedMetrics, numbers.dropped));
  return section;
}

}  // namespace vitrine::store
