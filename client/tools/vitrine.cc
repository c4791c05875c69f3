// The vitrine command: what a shell user does with a store.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "client/tools/command.h"

namespace vitrine::tools {
namespace {

constexpr const char* kFooter =
    "Exit status: 0 done; 1 it failed (with several ids: one of them did, the\n"
    "others were done); 2 the command line is wrong; 3 no store is reachable.\n"
    "Ids have 1 to 255 bytes, any but / and NUL; after -- they may begin with "
    "-.\n"
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
  app->footer(kFooter);
  app->set_version_flag("--version", std::string("vitrine ") + Version());
  app->add_option("--socket", line->socket_path,
                  "The store's socket (default: $VITRINE_SOCKET, else " +
                      UserSocketPath() + ")")
      ->type_name("PATH");
  app->get_formatter()->column_width(28);
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
  AddEventsCommand(app, line);
  AddStatusCommand(app, line);
  AddSqlCommand(app, line);
  AddDoctorCommand(app, line);
}

int Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("", "vitrine");
  AddGlobals(&app, &line);
  AddCommands(&app, &line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version come this way, too.
    return app.exit(error) == 0 ? FinishOutput(kExitOk) : kExitUsage;
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
