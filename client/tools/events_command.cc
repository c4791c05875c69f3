#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/tools/command.h"
#include "client/tools/json_text.h"
#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

struct EventsOptions {
  bool existing = false;
  bool json = false;
  uint64_t count = 0;
  Timeout timeout = kNever;
};

std::string EventLine(const Event& event, bool json) {
  if (json) return Dump(EventToJson(event), -1) + "\n";
  std::string line = FormatTime(event.time_ns) + "  " + EventName(event.kind);
  if (event.id) {
    line += "  " + std::to_string(event.size_bytes) + "  " +
            Printable(event.id->text());
  }
  return line + "\n";
}

int Follow(Subscription& subscription, const EventsOptions& options) {
  for (uint64_t seen = 0; options.count == 0 || seen < options.count; ++seen) {
    auto event = subscription.Next(options.timeout);
    if (!event) return Fail("events", event.error());
    Print(EventLine(*event, options.json));
    // The reader of a pipe wants each event at once.  If it is gone, the
    // command ends.
    if (std::fflush(stdout) != 0) break;
  }
  return kExitOk;
}

int RunEvents(const CommandLine& line, const EventsOptions& options) {
  int exit_code = kExitOk;
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  auto subscription = client->Subscribe(options.existing ? EventsFrom::kExisting
                                                         : EventsFrom::kNow);
  if (!subscription) return Fail("events", subscription.error());
  return FinishOutput(Follow(*subscription, options));
}

}  // namespace

void AddEventsCommand(CLI::App* app, CommandLine* line) {
  auto options = std::make_shared<EventsOptions>();
  CLI::App* command = app->add_subcommand(
      "events",
      "Follow what happens to objects.\n"
      "\n"
      "One line for each object that is sealed, evicted or deleted, until\n"
      "interrupted.  \"overflow\" means that events were lost because they "
      "were read\n"
      "too slowly: list again.  Example:\n"
      "  vitrine events --json | jq -r 'select(.event==\"sealed\").id'");
  command->add_flag("--existing", options->existing,
                    "First say what is sealed already, then existing-done");
  command->add_flag("--json", options->json, "One JSON object a line");
  command
      ->add_option("-n,--count", options->count,
                   "End after so many lines (default: never)")
      ->type_name("N");
  AddTimeout(command, &options->timeout,
             "Fail when nothing happens for so long (default: never)");
  command->callback(
      [=] { line->run = [=] { return RunEvents(*line, *options); }; });
}

}  // namespace vitrine::tools
