// The vitrine command: a store's operations for the shell.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>

#include "client/tools/command.h"
#include "client/tools/help.h"
#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

constexpr const char* kExitStatus =
    "Exit status: 0 done; 1 it failed (with several ids: one of them did, the\n"
    "others were done); 2 the command line is wrong; 3 no store is reachable.";

constexpr const char* kFooter =
    "Each command has its own --help.  Ids have 1 to 255 bytes, any but / and\n"
    "NUL; after -- they may begin with a dash.\n"
    "\n"
    "A store is started with `vitrined`, for instance\n"
    "  vitrined --capacity 8G --mount /mnt/vitrine\n"
    "and then\n"
    "  vitrine put model.bin            # from a file\n"
    "  vitrine ls -l\n"
    "  vitrine get model.bin | wc -c    # or: cat "
    "/mnt/vitrine/sealed/model.bin";

void AddGlobals(CLI::App* app, CommandLine* line) {
  app->description("Vitrine: immutable objects in shared memory.");
  app->formatter(std::make_shared<HelpFormatter>());
  app->set_help_flag("-h,--help", "Print this help and exit");
  app->set_version_flag("--version", std::string("vitrine ") + Version(),
                        "Print the version and exit");
  AddText(app, "--socket", &line->socket_path,
          "The store's socket (default: $VITRINE_SOCKET, else " +
              UserSocketPath() + ")")
      ->type_name("PATH");
  // The subcommands inherit this one.
  app->footer(kExitStatus);
  // Global options may follow the subcommand.
  app->fallthrough();
  app->require_subcommand(1);
}

void AddCommands(CLI::App* app, CommandLine* line) {
  AddPutCommand(app, line);
  AddGetCommand(app, line);
  AddListCommand(app, line);
  AddStatCommand(app, line);
  AddObjectCommands(app, line);
  AddWaitCommand(app, line);
  AddEvictCommand(app, line);
  AddQuotaCommand(app, line);
  AddEventsCommand(app, line);
  AddStatusCommand(app, line);
  AddSqlCommand(app, line);
  AddDoctorCommand(app, line);
  app->footer(std::string(kFooter) + "\n\n" + kExitStatus);
}

// "vitrine put", or "vitrine" if no subcommand was named.
std::string NameOf(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? "vitrine" : "vitrine " + commands[0]->get_name();
}

int FailParse(const CLI::App& app, const CLI::ParseError& error) {
  std::string why = error.what();
  if (app.get_subcommands().empty() && !app.remaining().empty()) {
    why = "there is no command or option '" + app.remaining().front() + "'";
  }
  const std::string name = NameOf(app);
  std::fprintf(stderr, "%s: %s\nTry '%s --help'.\n", name.c_str(),
               Printable(why).c_str(), name.c_str());
  return kExitUsage;
}

int Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("", "vitrine");
  AddGlobals(&app, &line);
  AddCommands(&app, &line);
  try {
    auto words = ProtectWords(argc, argv);
    std::reverse(words.begin(), words.end());  // What parse() wants.
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return FailParse(app, error);
    // --help and --version come this way, too.
    app.exit(error);
    return FinishOutput(kExitOk);
  }
  return line.run();
}

}  // namespace
}  // namespace vitrine::tools

int main(int argc, char** argv) {
  try {
    return vitrine::tools::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vitrine: %s\n", error.what());
    return vitrine::tools::kExitFailed;
  }
}
