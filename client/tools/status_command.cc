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
  Timeout timeout = Timeout::Never();
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
    if (key.ends_with("_ns") && value.get<double>() > 1e18) {
      return FormatTime(value.get<int64_t>());
    }
  }
  return Dump(value, -1);
}

// "used_bytes" -> "used"
std::string Label(std::string key) {
  for (const char* unit : {"_bytes", "_s"}) {
    if (key.ends_with(unit)) key.erase(key.rfind('_'));
  }
  return Printable(key);
}

// One row for each value, whatever there is: new keys need no new code.
void AddRows(const Json& json, const std::string& indent, Table* table) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_structured() && !value.empty()) {
      table->Add({indent + (json.is_array() ? "-" : Label(key)), ""});
      AddRows(value, indent + "  ", table);
    } else if (value.is_structured()) {
      table->Add({indent + Label(key), "none"});
    } else {
      table->Add({indent + (json.is_array() ? "-" : Label(key)),
                  ValueText(key, value)});
    }
  }
}

std::string Summary(const Json& status) {
  Table table({Align::kLeft, Align::kLeft});
  // The plain values first: they are what people look for.
  Json plain = Json::object();
  Json nested = Json::object();
  for (const auto& [key, value] : status.items()) {
    (value.is_structured() ? nested : plain)[key] = value;
  }
  AddRows(plain, "", &table);
  AddRows(nested, "", &table);
  return table.Text();
}

int RunStatus(const CommandLine& line, const StatusOptions& options) {
  int exit_code = kExitOk;
  auto client = Connect(line, options.wait ? options.timeout : Timeout::Poll(),
                        &exit_code);
  if (!client) return exit_code;
  auto text = client->GetStatus();
  if (!text) return Fail("status", text.error());
  const Json status = Json::parse(*text, nullptr, false);
  if (!status.is_object()) {
    return Fail("status", {Code::kCorruption, "the answer is not JSON"});
  }
  Print(options.json ? Dump(status) + "\n" : Summary(status));
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
  command->callback(
      [=] { line->run = [=] { return RunStatus(*line, *options); }; });
}

}  // namespace vitrine::tools
