#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/tools/command.h"
#include "client/tools/json_text.h"
#include "client/tools/table.h"
#include "client/tools/text.h"
#include "schema/base/size.h"

namespace vitrine::tools {
namespace {

using Json = nlohmann::ordered_json;

struct StatusOptions {
  bool wait = false;
  bool json = false;
  bool verbose = false;
  Timeout timeout = kNever;
};

// The unit is the end of the key's name.
std::string ValueText(const std::string& key, const Json& value) {
  if (value.is_string()) return Printable(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "-";
  if (value.is_number_unsigned() && key.ends_with("_bytes")) {
    return FormatSize(value.get<uint64_t>());
  }
  if (value.is_number()) {
    if (key.ends_with("_s")) return FormatSeconds(value.get<double>());
    // A real number may be larger than any time.
    if (key.ends_with("_ns") && value.is_number_integer() &&
        value.get<double>() > 1e18) {
      return FormatTime(value.get<int64_t>());
    }
  }
  return Dump(value, -1);
}

// "used_bytes" -> "used", unless `siblings` have that, too.
std::string Label(const std::string& key, const Json& siblings) {
  if (siblings.is_array()) return "-";
  for (const std::string unit : {"_bytes", "_s"}) {
    const std::string bare = key.substr(0, key.size() - unit.size());
    if (key.ends_with(unit) && !siblings.contains(bare)) return Printable(bare);
  }
  return Printable(key);
}

// Values that are left out without --verbose.
bool IsNothing(const Json& value) {
  return value.is_null() || value == Json(0) || value == Json("") ||
         (value.is_structured() && value.empty());
}

// One row for each value, without a list of keys: new keys need no new code.
void AddRows(const Json& json, const std::string& indent, bool verbose,
             Table* table) {
  for (const auto& [key, value] : json.items()) {
    const std::string label = indent + Label(key, json);
    if (value.is_structured() && !value.empty()) {
      Table inner({Align::kLeft, Align::kLeft});
      AddRows(value, indent + "  ", verbose, &inner);
      if (inner.empty()) continue;
      table->Add({label, ""});
      table->Append(std::move(inner));
    } else if (verbose || indent.empty() || !IsNothing(value)) {
      table->Add({label, ValueText(key, value)});
    }
  }
}

// The plain values, the best known first, then the nested ones.
Json InOrder(const Json& status) {
  Json plain = Json::object();
  Json nested = Json::object();
  for (const char* key : {"version", "pid", "uptime_s", "capacity_bytes",
                          "used_bytes", "free_bytes"}) {
    if (status.contains(key)) plain[key] = status[key];
  }
  for (const auto& [key, value] : status.items()) {
    (value.is_structured() ? nested : plain)[key] = value;
  }
  for (auto& [key, value] : nested.items()) plain[key] = value;
  return plain;
}

std::string Summary(const Json& status, bool verbose) {
  Table table({Align::kLeft, Align::kLeft});
  AddRows(InOrder(status), "", verbose, &table);
  return table.Text();
}

int RunStatus(const CommandLine& line, const StatusOptions& options) {
  int exit_code = kExitOk;
  auto client =
      Connect(line, options.wait ? options.timeout : kPoll, &exit_code);
  if (!client) return exit_code;
  auto text = client->GetStatus();
  if (!text) return Fail("status", text.error());
  const auto status = ParseObject(*text);
  if (!status) return Fail("status", status.error());
  Print(options.json ? Dump(*status) + "\n"
                     : Summary(*status, options.verbose));
  return FinishOutput(kExitOk);
}

}  // namespace

void AddStatusCommand(CLI::App* app, CommandLine* line) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* command = app->add_subcommand(
      "status",
      "Tell how the store is.\n"
      "\n"
      "Capacity and use, objects, memory, mount, clients, catalog, eviction.\n"
      "Example:\n"
      "  vitrine status --wait --timeout 10 && start-workers");
  command->add_flag("--wait", options->wait, "Wait until a store is ready");
  AddTimeout(command, &options->timeout,
             "With --wait: at most so long (default: never)");
  command->add_flag("--json", options->json, "As the store says it");
  command->add_flag("-v,--verbose", options->verbose,
                    "Also what is zero or empty");
  command->callback(
      [=] { line->run = [=] { return RunStatus(*line, *options); }; });
}

}  // namespace vitrine::tools
