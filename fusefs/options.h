// The options of `vitrined`: the command line, and the file of --config.
#ifndef VITRINE_FUSEFS_OPTIONS_H_
#define VITRINE_FUSEFS_OPTIONS_H_

#include <vitrine/result.h>

#include <string>
#include <vector>

#include "fusefs/base/store_names.h"

namespace vitrine::fusefs {

struct DaemonOptions {
  StoreOptions store;
  std::string socket_path;
  std::string mount_dir;  // Empty: no mount.
  Switch passthrough = Switch::kAuto;
  std::string log_level;  // One that spdlog knows.
};

// The parsed command line.  If `text` is not empty (--help, --version), print
// it and end; else run with `options`.
struct CommandLine {
  std::string text;
  DaemonOptions options;
};

// Reads the arguments (without the program's name).  The command line wins
// over the file.  All paths become absolute.  kInvalidArgument: the message is
// one line.
Result<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_OPTIONS_H_
