// seal, abort, rm, hold, unhold: one call for each id.
#include <CLI/CLI.hpp>
#include <memory>

#include "client/tools/command.h"

namespace vitrine::tools {
namespace {

using Call = Status (Client::*)(const ObjectId&);

void AddSimple(CLI::App* app, CommandLine* line, const std::string& verb,
               const std::string& help, Call call) {
  CLI::App* command = app->add_subcommand(verb, help);
  CLI::Option* ids = AddWords(command, "ID", "The objects")->required();
  const auto run = [=] {
    int exit_code = kExitOk;
    auto client = Connect(*line, kPoll, &exit_code);
    if (!client) return exit_code;
    return ForEachId(verb, Words(ids),
                     [&](const ObjectId& id) { return ((*client).*call)(id); });
  };
  command->callback([=] { line->run = run; });
}

int RunRemove(const CommandLine& line, const std::vector<std::string>& names,
              bool force) {
  int exit_code = kExitOk;
  const auto ids = ParseIds("rm", names, &exit_code);
  if (ids.empty()) return exit_code;
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  auto results = client->DeleteMany(ids);
  if (!results) return Fail("rm", results.error());
  for (size_t i = 0; i < results->size(); ++i) {
    const Status& status = (*results)[i];
    if (status || (force && status.error().code == Code::kNotFound)) continue;
    exit_code = Fail("rm " + ids[i].text(), status.error());
  }
  return exit_code;
}

void AddRemove(CLI::App* app, CommandLine* line) {
  CLI::App* command = app->add_subcommand(
      "rm",
      "Delete sealed objects.\n"
      "\n"
      "The names go at once; whoever has an object open or mapped keeps "
      "reading\n"
      "it, and its memory is free when the last of them lets go.");
  CLI::Option* ids = AddWords(command, "ID", "The objects")->required();
  auto force = std::make_shared<bool>(false);
  command->add_flag("-f,--force", *force,
                    "Do not mind objects that are not there");
  command->callback([=] {
    line->run = [=] { return RunRemove(*line, Words(ids), *force); };
  });
}

}  // namespace

void AddObjectCommands(CLI::App* app, CommandLine* line) {
  AddSimple(app, line, "seal",
            "Seal what was left unsealed.\n"
            "\n"
            "For instance by `cp` into the mount.  From then on nobody can "
            "change it and\n"
            "all can read it.  Fails while anybody has it open or mapped for "
            "writing.",
            &Client::SealByName);
  AddSimple(app, line, "abort", "Give up unsealed objects and their memory.",
            &Client::AbortByName);
  AddRemove(app, line);
  AddSimple(app, line, "hold",
            "Keep objects in memory.\n"
            "\n"
            "They are not evicted, however little memory is left, until "
            "`vitrine unhold`.",
            &Client::Hold);
  AddSimple(app, line, "unhold", "Let objects be evicted again.",
            &Client::Unhold);
}

}  // namespace vitrine::tools
