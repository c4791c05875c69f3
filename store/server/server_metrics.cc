#include "store/server/server_metrics.h"

#include "schema/protocol.h"

namespace vitrine::store::server {
namespace {

using Rings = Submissions::Numbers;

constexpr MetricOf<ServerFacts> kServerMetrics[] = {
    Info<&ServerFacts::socket_path>("socket", "Where clients connect."),
    Gauge<&ServerFacts::waits>(
        "waits", "Requests and threads of clients that wait for objects."),
    Gauge<&ServerFacts::tasks_queued>("tasks_queued",
                                      "Long requests that wait for a thread.")};

constexpr MetricOf<ServerStats> kConnectionMetrics[] = {
    Gauge<&ServerStats::connections>("connections",
                                     "Connections of all kinds."),
    Gauge<&ServerStats::sessions>("sessions", "Clients that are connected."),
    Gauge<&ServerStats::subscriptions>("subscriptions",
                                       "Connections that are told of events."),
    Counter<&ServerStats::accepted>("accepted",
                                    "Connections that were accepted."),
    Counter<&ServerStats::refused>(
        "refused", "Connections that were refused as there were too many."),
    Counter<&ServerStats::never_said_hello>(
        "never_said_hello",
        "Connections that were closed as they did not say who they are."),
    Counter<&ServerStats::protocol_errors>(
        "protocol_errors",
        "Connections that were closed as what they sent made no sense."),
    Counter<&ServerStats::events_dropped>(
        "events_dropped",
        "Events that a subscriber lost as it did not read them in time."),
    Counter<&ServerStats::recalls_dropped>(
        "recalls_dropped",
        "Requests to unmap that a client did not read in time.")};

constexpr Metric kRequestMetric = {"requests", MetricUnit::kNone,
                                   MetricKind::kCounter,
                                   "Requests that came by message."};

constexpr MetricOf<Rings> kRingMetrics[] = {
    Gauge<&Rings::rings>("open", "Submission rings of clients."),
    Counter<&Rings::sealed>("sealed", "Objects that came through a ring."),
    Counter<&Rings::blanks_sealed>(
        "blanks_sealed", "Those of them whose bytes were in a blank."),
    Counter<&Rings::refused>("refused",
                             "Objects in a ring that were not sealed."),
    Counter<&Rings::sleeps>("sleeps",
                            "Times that the store slept until a client rang.")};

StatusSection::Family CountRequests(const ServerStats& stats) {
  StatusSection::Family family{&kRequestMetric, "request", {}};
  for (size_t i = 1; i < stats.requests.size(); ++i) {
    const auto type = static_cast<protocol::RequestBody>(i);
    family.numbers.emplace_back(protocol::EnumNameRequestBody(type),
                                stats.requests[i].load());
  }
  return family;
}

}  // namespace

StatusSection ServerSection(const ServerFacts& facts, const ServerStats& stats,
                            const Rings& rings) {
  StatusSection section = MakeSection(kServerMetrics, facts);
  section.Add(kConnectionMetrics, stats);
  section.families.push_back(CountRequests(stats));
  section.AddPart("rings", MakeSection(kRingMetrics, rings));
  return section;
}

}  // namespace vitrine::store::server
