#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/tools/command.h"
#include "client/tools/json_text.h"
#include "client/tools/owner_names.h"
#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

struct StatOptions {
  CLI::Option* ids = nullptr;
  bool json = false;
};

void PrintStat(const ObjectStat& stat, const Metadata& metadata) {
  OwnerNames names;
  std::string text = Printable(stat.id.text()) + "\n";
  const auto add = [&](const char* label, const std::string& value) {
    text += std::string("  ") + label + value + "\n";
  };
  add("state:    ", stat.sealed ? "sealed" : "unsealed");
  add("size:     ", FormatBytes(stat.size_bytes));
  add("mode:     ", FormatMode(stat.mode));
  add("owner:    ", names.User(stat.uid) + ":" + names.Group(stat.gid));
  add("creator:  ", "process " + std::to_string(stat.creator_pid));
  add("created:  ", FormatTime(stat.created_ns));
  add("sealed:   ", FormatTime(stat.sealed_ns));
  add("tier:     ", stat.tier.empty() ? "-" : stat.tier);
  add("uses:     ", std::to_string(stat.use_count));
  add("in use:   ", stat.in_use ? "yes" : "no");
  add("hold:     ", stat.hold ? "yes" : "no");
  for (const auto& [name, value] : metadata) {
    add("meta:     ", Printable(name) + "=" + Printable(value));
  }
  Print(text);
}

Status StatOne(Client& client, const ObjectId& id,
               nlohmann::ordered_json* json) {
  auto stat = client.Stat(id);
  if (!stat) return stat.error();
  auto metadata = client.GetMetadata(id);
  // A user who may not read the object may still see that it is there.
  const bool denied =
      !metadata && metadata.error().code == Code::kPermissionDenied;
  if (!metadata && !denied) return metadata.error();
  const Metadata& shown = denied ? Metadata() : *metadata;
  if (json == nullptr) {
    PrintStat(*stat, shown);
    return {};
  }
  auto entry = StatToJson(*stat);
  if (!denied) entry["metadata"] = MetadataToJson(shown);
  json->push_back(std::move(entry));
  return {};
}

int RunStat(const CommandLine& line, const StatOptions& options) {
  int exit_code = kExitOk;
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  auto json = nlohmann::ordered_json::array();
  exit_code = ForEachId("stat", Words(options.ids), [&](const ObjectId& id) {
    return StatOne(*client, id, options.json ? &json : nullptr);
  });
  if (options.json) Print(Dump(json) + "\n");
  return FinishOutput(exit_code);
}

}  // namespace

void AddStatCommand(CLI::App* app, CommandLine* line) {
  auto options = std::make_shared<StatOptions>();
  CLI::App* command = app->add_subcommand(
      "stat",
      "Tell all that is known of objects.\n"
      "\n"
      "Sealed or not: size, owner, times, use, and the metadata.");
  options->ids = AddWords(command, "ID", "The objects")->required();
  command->add_flag("--json", options->json,
                    "An array; times in nanoseconds since 1970");
  command->callback(
      [=] { line->run = [=] { return RunStat(*line, *options); }; });
}

}  // namespace vitrine::tools
