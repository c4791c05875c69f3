// The declarations of a store that runs, with a server.  (The mount's:
// tests/fusefs/status_test.cc.)
#include "store/metrics/metric.h"

#include "tests/store/metrics/declared.h"
#include "tests/store/server/server_peer_fixture.h"

namespace vitrine::store {
namespace {

class DeclarationsTest : public ServerFixture {};

TEST_F(DeclarationsTest, AllThatStatusShowsIsDeclared) {
  const auto peers = Connect();
  const auto reply =
      peers->call.Ask<protocol::StatusReplyT>(protocol::GetStatusT());
  ASSERT_TRUE(reply);
  const auto status = nlohmann::json::parse(reply->json);
  EXPECT_GT(status.flatten().size(), 80u);
  EXPECT_EQ(status.at("clients").size(), 1u);
  ExpectDeclared(status, store_->facts().GetStatus());
}

// Whoever reads the JSON finds what was always there.
TEST_F(DeclarationsTest, KeysAreStable) {
  const auto peers = Connect();
  const auto status = store_->facts().StatusJson();
  for (const char* key : {"/version",
                          "/pid",
                          "/uptime_s",
                          "/state_dir",
                          "/capacity_bytes",
                          "/used_bytes",
                          "/free_bytes",
                          "/index_bytes",
                          "/journal_bytes",
                          "/dedicated_threshold_bytes",
                          "/objects/sealed",
                          "/objects/held_bytes",
                          "/objects/deleted_in_use",
                          "/slabs/count",
                          "/slabs/most_object_bytes",
                          "/memory/directory",
                          "/memory/huge_pages",
                          "/memory/waiters",
                          "/memory/writers_outran_evictor",
                          "/pool/limit_bytes",
                          "/eviction/policy",
                          "/eviction/stuck",
                          "/clients/0/name",
                          "/clients/0/kept_mappings",
                          "/catalog/path",
                          "/catalog/lag_ms",
                          "/catalog/degraded",
                          "/catalog/dropped/uses",
                          "/server/socket",
                          "/server/rings/open",
                          "/server/requests/Hello",
                          "/server/tasks_queued"}) {
    EXPECT_TRUE(status.contains(nlohmann::json::json_pointer(key))) << key;
  }
}

struct Snapshot {
  std::string text;
  bool flag;
  int number;
};
std::string Twice(const Snapshot& snapshot) {
  return snapshot.text + snapshot.text;
}

TEST(MetricTest, ReadsMembersAndFunctions) {
  constexpr MetricOf<Snapshot> kDeclared[] = {
      Info<&Snapshot::text>("text", "A text."),
      Gauge<&Snapshot::flag>("flag", "A flag."),
      Counter<&Snapshot::number>("number_bytes", "A number.",
                                 MetricUnit::kBytes),
      Info<&Twice>("twice", "More text.")};
  const Snapshot snapshot = {"a", true, 7};
  EXPECT_EQ(kDeclared[0].read(snapshot), MetricValue("a"));
  EXPECT_EQ(kDeclared[1].read(snapshot), MetricValue(true));
  EXPECT_EQ(kDeclared[2].read(snapshot), MetricValue(uint64_t{7}));
  EXPECT_EQ(kDeclared[3].read(snapshot), MetricValue("aa"));
  EXPECT_EQ(kDeclared[0].metric.kind, MetricKind::kInfo);
  EXPECT_EQ(kDeclared[1].metric.unit, MetricUnit::kNone);
  EXPECT_EQ(kDeclared[2].metric.kind, MetricKind::kCounter);
  EXPECT_EQ(kDeclared[2].metric.unit, MetricUnit::kBytes);
}

}  // namespace
}  // namespace vitrine::store
