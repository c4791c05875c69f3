#include <fnmatch.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/tools/command.h"
#include "client/tools/json_text.h"
#include "client/tools/owner_names.h"
#include "client/tools/table.h"
#include "client/tools/text.h"
#include "schema/base/size.h"
#include "schema/base/wall_clock.h"

namespace vitrine::tools {
namespace {

struct ListOptions {
  CLI::Option* patterns = nullptr;
  bool is_long = false;
  bool human = false;
  bool json = false;
  bool unsealed = false;
  bool all = false;
  bool by_time = false;
  bool by_size = false;
  bool reverse = false;
};

int64_t TimeOf(const ObjectStat& stat) {
  return stat.sealed_ns != 0 ? stat.sealed_ns : stat.created_ns;
}

Result<std::vector<ObjectStat>> Fetch(Client& client,
                                      const ListOptions& options) {
  std::vector<ObjectStat> stats;
  for (const bool unsealed : {false, true}) {
    if (!options.all && unsealed != options.unsealed) continue;
    auto some = client.List(unsealed ? Listed::kUnsealed : Listed::kSealed);
    if (!some) return some.error();
    std::move(some->begin(), some->end(), std::back_inserter(stats));
  }
  return stats;
}

// Keeps objects that match one of the patterns.  Reports patterns that match
// none.
int Filter(const std::vector<std::string>& patterns,
           std::vector<ObjectStat>* stats) {
  if (patterns.empty()) return kExitOk;
  std::vector<bool> used(patterns.size());
  std::erase_if(*stats, [&](const ObjectStat& stat) {
    bool keep = false;
    for (size_t i = 0; i < patterns.size(); ++i) {
      const std::string& id = stat.id.text();
      if (id != patterns[i] &&
          ::fnmatch(patterns[i].c_str(), id.c_str(), 0) != 0) {
        continue;
      }
      used[i] = true;
      keep = true;
    }
    return !keep;
  });
  int exit_code = kExitOk;
  for (size_t i = 0; i < patterns.size(); ++i) {
    if (used[i]) continue;
    exit_code = Fail("ls " + patterns[i], {Code::kNotFound, ""});
  }
  return exit_code;
}

void Sort(const ListOptions& options, std::vector<ObjectStat>* stats) {
  const auto before = [&](const ObjectStat& a, const ObjectStat& b) {
    if (options.by_time && TimeOf(a) != TimeOf(b)) {
      return TimeOf(a) > TimeOf(b);
    }
    if (options.by_size && a.size_bytes != b.size_bytes) {
      return a.size_bytes > b.size_bytes;
    }
    return a.id < b.id;
  };
  std::stable_sort(stats->begin(), stats->end(), before);
  if (options.reverse) std::reverse(stats->begin(), stats->end());
}

// Said of what nobody has open any more; empty: nothing is.
std::string NoteOn(const ObjectStat& stat, int64_t now_ns) {
  if (!IsAbandoned(stat, now_ns)) return "";
  return "abandoned by process " + std::to_string(stat.creator_pid);
}

// Scripts get the exact bytes, people a text that is safe on a terminal.
std::string NameFor(const ObjectId& id, bool terminal) {
  return terminal ? Printable(id.text()) : id.text();
}

void PrintLong(const std::vector<ObjectStat>& stats, bool human,
               bool terminal) {
  Table table({Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight,
               Align::kLeft, Align::kLeft, Align::kLeft});
  OwnerNames names;
  const int64_t now_ns = NowNs();
  for (const ObjectStat& stat : stats) {
    table.Add(
        {FormatMode(stat.mode), names.User(stat.uid), names.Group(stat.gid),
         human ? FormatSize(stat.size_bytes) : std::to_string(stat.size_bytes),
         FormatTimeShort(TimeOf(stat), now_ns), NameFor(stat.id, terminal),
         NoteOn(stat, now_ns)});
  }
  Print(table.Text());
}

void PrintJson(const std::vector<ObjectStat>& stats) {
  auto json = nlohmann::ordered_json::array();
  for (const ObjectStat& stat : stats) json.push_back(StatToJson(stat));
  Print(Dump(json) + "\n");
}

int RunList(const CommandLine& line, const ListOptions& options) {
  int exit_code = kExitOk;
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  auto stats = Fetch(*client, options);
  if (!stats) return Fail("ls", stats.error());
  exit_code = Filter(Words(options.patterns), &*stats);
  Sort(options, &*stats);
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  if (options.json) {
    PrintJson(*stats);
  } else if (options.is_long || options.human) {
    PrintLong(*stats, options.human, terminal);
  } else {
    for (const ObjectStat& stat : *stats) {
      Print(NameFor(stat.id, terminal) + "\n");
    }
  }
  return FinishOutput(exit_code);
}

}  // namespace

void AddListCommand(CLI::App* app, CommandLine* line) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* command =
      app->add_subcommand("ls",
                          "List objects.\n"
                          "\n"
                          "The sealed ones, one a line, by name.  Example:\n"
                          "  vitrine ls -l 'model-*'");
  // -h means human-readable sizes, as in ls.
  command->set_help_flag("--help", "Print this help and exit");
  options->patterns =
      AddWords(command, "PATTERN", "Only those (as in a shell: *, ?, [a-z])");
  command->add_flag("-l,--long", options->is_long,
                    "Mode, owner, group, size, time of the seal, id");
  command->add_flag("-h,--human-readable", options->human,
                    "As -l, with sizes such as 1.5 GiB");
  command->add_flag("-t,--by-time", options->by_time, "The newest first");
  command->add_flag("-S,--by-size", options->by_size, "The largest first");
  command->add_flag("-r,--reverse", options->reverse, "The other way round");
  command->add_flag("-u,--unsealed", options->unsealed,
                    "Those being written instead; -l says who abandoned one");
  command->add_flag("-a,--all", options->all, "Both");
  command->add_flag("--json", options->json,
                    "An array of objects with all that `stat` knows");
  command->callback(
      [=] { line->run = [=] { return RunList(*line, *options); }; });
}

}  // namespace vitrine::tools
