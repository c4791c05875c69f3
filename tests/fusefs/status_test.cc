// What the mount adds to `status`, and `.vitrine/status`.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/fusefs/mounted_store.h"
#include "tests/store/metrics/declared.h"

namespace vitrine::fusefs {
namespace {

constexpr Metric kText = {"text", MetricUnit::kNone, MetricKind::kInfo,
                          "A text."};

class StatusTest : public BothModes {
 protected:
  nlohmann::json ReadStatus() const {
    return nlohmann::json::parse(ReadFile(Root() + "/.vitrine/status"), nullptr,
                                 /*allow_exceptions=*/false);
  }
};

TEST_P(StatusTest, AllThatItShowsIsDeclared) {
  Put("a", "x");
  store_->facts().SetStatusSource("mount",
                                  [this] { return mount_->GetStatus(); });
  const auto status = ReadStatus();
  store::ExpectDeclared(status, store_->facts().GetStatus());
  store_->facts().SetStatusSource("mount", nullptr);
  EXPECT_EQ(status.at("mount").at("mount_point"), Root());
  EXPECT_TRUE(status.at("mount").at("passthrough").is_boolean());
  EXPECT_GT(status.at("mount").at("requests").at("create"), 0);
  EXPECT_TRUE(status.at("mount").contains("carried_written_bytes"));
}

TEST_P(StatusTest, TheFileIsWholeHoweverLongAndWhateverItsTexts) {
  const std::string text(5'000'000, 'x');
  store_->facts().SetStatusSource("big", [&text] {
    StatusSection section;
    section.values.push_back({&kText, text + "\xff"});
    return section;
  });
  const auto status = ReadStatus();
  store_->facts().SetStatusSource("big", nullptr);
  ASSERT_TRUE(status.is_object());
  EXPECT_EQ(status.at("big").at("text"), text + "\xef\xbf\xbd");
  EXPECT_TRUE(status.contains("catalog"));
}

INSTANTIATE_BOTH_MODES(StatusTest);

}  // namespace
}  // namespace vitrine::fusefs
