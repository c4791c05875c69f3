#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "client/tools/catalog_reader.h"
#include "client/tools/command.h"
#include "client/tools/diagnosis.h"
#include "client/tools/json_text.h"
#include "client/tools/store_diagnosis.h"
#include "client/tools/table.h"
#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

using Json = nlohmann::ordered_json;

Finding CheckMount(const Json& status) {
  const Json mount = JsonObject(status, "mount");
  const std::string path = JsonText(mount, "mount_point");
  if (path.empty()) {
    return {"store's mount", Verdict::kOk, "none", "vitrined --mount DIR"};
  }
  const std::string file = path + "/.vitrine/status";
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream || text.str().empty()) {
    return {"store's mount", Verdict::kFail,
            file + " cannot be read: " + std::strerror(errno),
            "is the mount of this user, or was it made with allow_other?"};
  }
  const std::string mode = JsonText(mount, "mode");
  return {"store's mount", Verdict::kOk,
          path + (mode.empty() ? "" : ", " + mode), ""};
}

class NoRows : public RowSink {
 public:
  void Begin(const std::vector<std::string>&) override {}
  void Row(const std::vector<sqlite::Value>&) override {}
};

Finding CheckCatalog(const std::string& state_dir, const Json& status) {
  const std::string problem =
      JsonText(JsonObject(status, "catalog"), "problem");
  if (!problem.empty()) {
    return {"store's catalog", Verdict::kWarn, "not written: " + problem, ""};
  }
  NoRows sink;
  auto reader = CatalogReader::Open(state_dir);
  const Status read = reader
                          ? reader->Query("SELECT count(*) FROM objects", sink)
                          : Status(reader.error());
  if (read) {
    return {"store's catalog", Verdict::kOk, state_dir + "/catalog.db", ""};
  }
  return {"store's catalog", Verdict::kWarn, read.error().ToString(),
          "ask as the store's user, or as root"};
}

std::vector<Finding> DiagnoseStore(const CommandLine& line) {
  ConnectOptions options;
  options.socket_path = line.socket_path;
  options.timeout = kPoll;
  options.name = "vitrine doctor";
  auto client = Client::Connect(options);
  if (!client) {
    return {{"store", Verdict::kWarn, Explain(client.error()),
             "start one: vitrined --mount DIR; or say where it is: --socket"}};
  }
  auto text = client->GetStatus();
  if (!text) {
    return {{"store", Verdict::kFail, Explain(text.error()), "restart it"}};
  }
  const auto parsed = ParseObject(*text);
  if (!parsed) {
    return {{"store", Verdict::kFail, Explain(parsed.error()), "restart it"}};
  }
  const Json& status = *parsed;
  const std::string kind = JsonText(JsonObject(status, "memory"), "kind");
  std::vector<Finding> findings = {
      {"store", Verdict::kOk,
       "version " + JsonText(status, "version") + ", " + kind, ""}};
  for (Finding& finding : DiagnoseStatus(status)) {
    findings.push_back(std::move(finding));
  }
  findings.push_back(CheckMount(status));
  auto state_dir = client->StateDir();
  if (state_dir) findings.push_back(CheckCatalog(*state_dir, status));
  return findings;
}

Json ToJson(const MachineFacts& facts, const std::vector<Finding>& findings) {
  const Tier tier = TierOf(facts);
  Json json;
  json["works"] = tier != Tier::kNone;
  json["tier"] = TierName(tier);
  json["meaning"] = TierMeaning(tier);
  json["next"] = NextTier(facts);
  json["checks"] = Json::array();
  for (const Finding& finding : findings) {
    json["checks"].push_back({{"check", finding.check},
                              {"verdict", VerdictName(finding.verdict)},
                              {"detail", finding.detail},
                              {"remedy", finding.remedy}});
  }
  return json;
}

void PrintText(const MachineFacts& facts,
               const std::vector<Finding>& findings) {
  Table table({Align::kLeft, Align::kLeft, Align::kLeft});
  for (const Finding& finding : findings) {
    std::string detail = finding.detail;
    if (!finding.remedy.empty()) detail += " => " + finding.remedy;
    table.Add({VerdictName(finding.verdict), finding.check, Printable(detail)});
  }
  const Tier tier = TierOf(facts);
  Print(table.Text() + "\nA store started here by this user: " +
        TierName(tier) + "\n  " + TierMeaning(tier) + "\n");
  const std::string next = NextTier(facts);
  Print(next.empty() ? "  There is no better tier.\n"
                     : "  For the next better tier: " + next + "\n");
}

int RunDoctor(const CommandLine& line, bool json) {
  const MachineFacts facts = GatherMachineFacts();
  std::vector<Finding> findings = DiagnoseMachine(facts);
  for (Finding& finding : DiagnoseStore(line)) {
    findings.push_back(std::move(finding));
  }
  if (json) {
    Print(Dump(ToJson(facts, findings)) + "\n");
  } else {
    PrintText(facts, findings);
  }
  return FinishOutput(TierOf(facts) == Tier::kNone ? kExitFailed : kExitOk);
}

}  // namespace

void AddDoctorCommand(CLI::App* app, CommandLine* line) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app->add_subcommand(
      "doctor",
      "Tell what a store can do on this machine.\n"
      "\n"
      "Tries what the kernel and this user can do, says what a store started "
      "here\n"
      "would be like and what brings the next better one; then looks at the "
      "store\n"
      "that runs.  Changes nothing.  Exit status 0 if a store can work here.");
  command->add_flag("--json", *json, "For programs");
  command->callback(
      [=] { line->run = [=] { return RunDoctor(*line, *json); }; });
}

}  // namespace vitrine::tools
