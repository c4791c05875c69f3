// Shared code of all subcommands of `vitrine`: the global options, the exit
// codes, a connection, and one way to report errors.
#ifndef VITRINE_CLIENT_TOOLS_COMMAND_H_
#define VITRINE_CLIENT_TOOLS_COMMAND_H_

#include <vitrine/client.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's.
class App;
class Option;
}  // namespace CLI

namespace vitrine::tools {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,   // The operation failed.
  kExitUsage = 2,    // The command line makes no sense.
  kExitNoStore = 3,  // No store is reachable.
};

// The command line as parsed.  `run` is set by the subcommand that was named
// and called after parsing; it returns an ExitCode.
struct CommandLine {
  std::string socket_path;  // Empty: where the library looks.
  std::function<int()> run;
};

// Writes "vitrine: <what>: <error>" to stderr and returns the exit code that
// fits.  `what` is shown printable.
int Fail(std::string_view what, const Error& error);
// The same with a text instead of an Error.
int FailWith(std::string_view what, std::string_view why);
// The same for a mistake on the command line.
int FailUsage(std::string_view what, std::string_view why);

// The text for people: only the code's name where there is nothing to add
// ("not found").
std::string Explain(const Error& error);

// Connects, or reports the error and sets `*exit_code`.
std::optional<Client> Connect(const CommandLine& line, Timeout timeout,
                              int* exit_code);

// Runs `action` on every id in `names`; goes on after a failure.  `verb` is
// for messages.
int ForEachId(const std::string& verb, const std::vector<std::string>& names,
              const std::function<Status(const ObjectId&)>& action);

// The ids of `names`.  Reports names that are no valid ids and then sets
// `*exit_code`, which keeps its value otherwise.
std::vector<ObjectId> ParseIds(const std::string& verb,
                               const std::vector<std::string>& names,
                               int* exit_code);

// CLI11 takes "[a,b]" for a list of two words, but it is also a valid id and a
// valid pattern.  So all words are protected before CLI11 parses them; AddText
// and Words remove the protection.
std::vector<std::string> ProtectWords(int argc, const char* const* argv);

// Adds an option or a positional argument that is one word.
CLI::Option* AddText(CLI::App* command, const std::string& name,
                     std::string* text, const std::string& help);
// Adds a positional argument of any number of words; read it with Words.
CLI::Option* AddWords(CLI::App* command, const std::string& name,
                      const std::string& help);
// Adds an option that may be given several times, one word each time.
CLI::Option* AddRepeated(CLI::App* command, const std::string& name,
                         const std::string& help);
std::vector<std::string> Words(const CLI::Option* option);

// Adds an option that takes a time (see ParseTimeout); a bad one is a mistake
// on the command line.
CLI::Option* AddTimeout(CLI::App* command, Timeout* timeout,
                        const std::string& help);

// Writes to stdout.  Failures show at FinishOutput.
void Print(std::string_view text);
// Flushes stdout.  Returns `exit_code`.  If not everything could be written,
// reports that and returns kExitFailed.
int FinishOutput(int exit_code);

// One for each subcommand (or family of them).
void AddPutCommand(CLI::App* app, CommandLine* line);
void AddGetCommand(CLI::App* app, CommandLine* line);
void AddListCommand(CLI::App* app, CommandLine* line);
void AddStatCommand(CLI::App* app, CommandLine* line);
void AddObjectCommands(CLI::App* app, CommandLine* line);
void AddWaitCommand(CLI::App* app, CommandLine* line);
void AddEvictCommand(CLI::App* app, CommandLine* line);
void AddQuotaCommand(CLI::App* app, CommandLine* line);
void AddEventsCommand(CLI::App* app, CommandLine* line);
void AddStatusCommand(CLI::App* app, CommandLine* line);
void AddSqlCommand(CLI::App* app, CommandLine* line);
void AddDoctorCommand(CLI::App* app, CommandLine* line);

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_COMMAND_H_
