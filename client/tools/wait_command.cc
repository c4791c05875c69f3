#include <CLI/CLI.hpp>
#include <memory>
#include <set>

#include "client/tools/command.h"
#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

struct WaitOptions {
  CLI::Option* ids = nullptr;
  CLI::Option* any_option = nullptr;
  size_t any = 0;
  Timeout timeout = kNever;
  bool stop_when_gone = false;
};

int Report(const WaitOptions& options, const std::vector<ObjectId>& ids,
           const std::vector<std::optional<Object>>& objects,
           std::chrono::milliseconds waited) {
  std::set<ObjectId> sealed;
  std::set<ObjectId> missing;
  for (size_t i = 0; i < ids.size(); ++i) {
    (objects[i] ? sealed : missing).insert(ids[i]);
  }
  if (options.any > 0) {
    for (const ObjectId& id : sealed) Print(id.text() + "\n");
    if (sealed.size() >= options.any) return kExitOk;
  }
  const bool in_time = waited < options.timeout;
  const Code why = in_time ? Code::kGone : Code::kTimeout;
  int exit_code = kExitOk;
  for (const ObjectId& id : missing) {
    exit_code = Fail("wait " + id.text(), {why, ""});
  }
  return exit_code;
}

int RunWait(const CommandLine& line, const WaitOptions& options) {
  int exit_code = kExitOk;
  const auto ids = ParseIds("wait", Words(options.ids), &exit_code);
  if (exit_code != kExitOk) return exit_code;
  const size_t distinct = std::set<ObjectId>(ids.begin(), ids.end()).size();
  if (options.any_option->count() > 0 &&
      (options.any == 0 || options.any > distinct)) {
    return FailUsage("wait --any", "more than 0, at most as many as ids");
  }
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  Client::GetManyOptions get;
  get.timeout = options.timeout;
  get.need = options.any;
  get.stop_when_gone = options.stop_when_gone;
  const auto start = std::chrono::steady_clock::now();
  auto objects = client->GetMany(ids, get);
  if (!objects) return Fail("wait", objects.error());
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  return FinishOutput(Report(options, ids, *objects, waited));
}

}  // namespace

void AddWaitCommand(CLI::App* app, CommandLine* line) {
  auto options = std::make_shared<WaitOptions>();
  CLI::App* command =
      app->add_subcommand("wait",
                          "Wait until objects are sealed.\n"
                          "\n"
                          "Example:\n"
                          "  vitrine wait part-1 part-2 --timeout 5m && merge");
  options->ids = AddWords(command, "ID", "The objects")->required();
  AddTimeout(command, &options->timeout, "At most so long (default: never)");
  options->any_option =
      command
          ->add_option("--any", options->any,
                       "Until N of them are, and print the ids that are")
          ->type_name("N");
  command->add_flag("--stop-when-gone", options->stop_when_gone,
                    "Give up when nobody is creating one of them any more");
  command->callback(
      [=] { line->run = [=] { return RunWait(*line, *options); }; });
}

}  // namespace vitrine::tools
