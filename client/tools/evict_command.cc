#include <CLI/CLI.hpp>
#include <memory>

#include "client/tools/command.h"
#include "client/tools/text.h"
#include "schema/base/size.h"

namespace vitrine::tools {
namespace {

int RunEvict(const CommandLine& line, const std::string& size_text) {
  auto bytes = ParseSize(size_text);
  if (!bytes) return FailUsage("evict", bytes.error().message);
  int exit_code = kExitOk;
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  auto evicted = client->Evict(*bytes);
  if (!evicted) return Fail("evict", evicted.error());
  Print("evicted " + FormatBytes(*evicted) + "\n");
  if (*evicted < *bytes) {
    exit_code = FailWith("evict " + size_text,
                         "the rest is in use, held, or not there");
  }
  return FinishOutput(exit_code);
}

}  // namespace

void AddEvictCommand(CLI::App* app, CommandLine* line) {
  CLI::App* command = app->add_subcommand(
      "evict",
      "Evict objects to free memory.\n"
      "\n"
      "The least recently used go first, until so much more memory is free.\n"
      "Objects in use or held stay.  Fails if there was less to evict; what "
      "was\n"
      "evicted then stays evicted.");
  auto size = std::make_shared<std::string>();
  AddText(command, "SIZE", size.get(), "8G, 512M, 4096, ...")->required();
  command->callback(
      [=] { line->run = [=] { return RunEvict(*line, *size); }; });
}

}  // namespace vitrine::tools
