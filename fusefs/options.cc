#include "fusefs/options.h"

#include <sys/types.h>
#include <unistd.h>
#include <vitrine/socket_path.h>
#include <vitrine/version.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "fusefs/access_options.h"
#include "fusefs/spill_options.h"
#include "schema/base/size.h"
#include "store/accounts/quota.h"

namespace vitrine::fusefs {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

using Quotas = std::vector<std::string>;

constexpr unsigned kHelpColumns = 80;
constexpr const char* kDefaultLogLevel = "warning";
// Including the short forms that spdlog knows.
constexpr std::array<const char*, 9> kLogLevels = {
    "trace", "debug", "info",     "warning", "warn",
    "error", "err",   "critical", "off"};

// Others never write: the store does not trust what is written by them.
constexpr std::pair<const char*, mode_t> kCatalogModes[] = {
    {"0600", 0600}, {"0640", 0640}, {"0644", 0644}};

constexpr const char* kUsage =
    "Usage: vitrined [OPTION]...\n"
    "Runs a store of immutable objects in shared memory, and with --mount shows"
    "\nit as a file system.  One line on standard output says when it is ready."
    "\nSIGTERM, SIGINT or SIGHUP end it: the mount goes and the memory is "
    "given\n"
    "back.  SIZE is a number of bytes, or a number with K, M, G or T (8G, 512M,"
    "\n1.5G: powers of 1024).\n";

constexpr const char* kExitStatus =
    "Exit status: 0 after a clean stop; 2 if the store cannot start, with the\n"
    "reason in one line on standard error and nothing left behind.\n";

po::options_description StoreGroup() {
  po::options_description group("Store", kHelpColumns);
  group.add_options()(
      "capacity,m", po::value<std::string>()->value_name("SIZE"),
      "memory for objects (default: 30% of the machine's memory)")(
      "overshoot", po::value<std::string>()->value_name("SIZE"),
      "memory that writers may take beyond the capacity while objects are "
      "evicted (default: an eighth of the capacity, as far as there is)")(
      "state-dir", po::value<std::string>()->value_name("DIR"),
      "catalog and lock (default: /var/lib/vitrine; for users "
      "$XDG_STATE_HOME/vitrine or ~/.local/state/vitrine)")(
      "catalog-mode", po::value<std::string>()->value_name("MODE"),
      "permission bits of the catalog: 0600, 0640 or 0644; whoever may read it "
      "can keep it from being written, by SQLite's locks, but not the store "
      "from serving objects (default: 0600)")(
      "memory-dir,d", po::value<std::string>()->value_name("DIR"),
      "an existing directory on a tmpfs or hugetlbfs to put objects in "
      "(default: an own tmpfs for root, else a private directory on /dev/shm)")(
      "huge-pages", po::value<std::string>()->value_name("auto|on|off"),
      "huge pages for objects (default: auto, wherever the kernel has them)")(
      "numa", po::value<std::string>()->value_name("local|interleave|node:N"),
      "NUMA nodes that memory is taken from: where it is reserved, all in "
      "turn, "
      "or node N as long as it has some (default: local)")(
      "pool", po::value<std::string>()->value_name("SIZE"),
      "memory of deleted objects to keep for new ones, which are written "
      "faster to it; given up before anything is evicted (default: half "
      "of the capacity; 0: none)")(
      "dedicated-threshold", po::value<std::string>()->value_name("SIZE"),
      "objects of at least this size have a file of their own; smaller ones "
      "share some if clients put them and everybody may read them (default: "
      "128K)")(
      "abandon-after", po::value<std::string>()->value_name("TIME"),
      "abort unsealed objects of the mount that nobody has had open, mapped or "
      "changed for so long: 30s, 10m, 2h, 1d (default: never)")(
      "strict", po::bool_switch(),
      "give every object a file of its own, however small")(
      "seal-copy", po::value<std::string>()->value_name("auto|always|never"),
      "copy large objects at the seal into memory that their writer never had, "
      "because a writer can keep pages for a read that ends later: those of "
      "users other than root and the store's, all, or none (default: auto)")(
      "recover", po::bool_switch(),
      "start even if that loses all objects of a killed store, because its "
      "journal cannot be read; says what is lost")(
      "on-exit", po::value<std::string>()->value_name("drop|spill|keep"),
      "what becomes of the objects when the store ends in good order: they are "
      "gone, they go where evicted ones go, or their memory stays for the next "
      "start (default: spill with --spill or --external-store, else drop)");
  return group;
}

po::options_description SpillGroup() {
  po::options_description group("Evicted objects", kHelpColumns);
  group.add_options()(
      "spill", po::value<std::string>()->value_name("DIR"),
      "write evicted objects to files in DIR, and read them back when they are "
      "wanted; made if it is missing, for this store alone (default: evicted "
      "objects are gone)")(
      "spill-limit", po::value<std::string>()->value_name("SIZE"),
      "the most that the files may take (default: no limit)")(
      "external-store,e",
      po::value<std::vector<std::string>>()->composing()->value_name("URL"),
      "another place for evicted objects: file:///DIR, or what was compiled "
      "in; may be repeated: each takes what --spill and those before it do "
      "not");
  return group;
}

po::options_description QuotaGroup() {
  po::options_description group("Quotas", kHelpColumns);
  group.add_options()(
      "quota", po::value<Quotas>()->composing()->value_name("QUOTA"),
      "what a user or a group may have: user:NAME:LIMITS or group:NAME:LIMITS, "
      "where * stands for each that has no limit of its own. LIMITS are, with "
      "a comma between them, memory=SIZE, objects=N, unsealed=N, waiters=N, "
      "connections=N, descriptors=N and holds=N; none instead of N: no limit. "
      "Root and the store's user have only limits that name them. May be "
      "repeated; a later one wins (default: each user may have half of the "
      "connections and of the descriptors, and 100,000 waits; all else has no "
      "limit)");
  return group;
}

po::options_description FrontEndGroup() {
  po::options_description group("Front ends", kHelpColumns);
  group.add_options()(
      "socket,s", po::value<std::string>()->value_name("PATH"),
      "where clients connect (default: $VITRINE_SOCKET, else "
      "/run/vitrine/vitrine.sock; for users $XDG_RUNTIME_DIR/vitrine.sock)")(
      "mount", po::value<std::string>()->value_name("DIR"),
      "show the store as a file system at DIR, made if it is missing (default: "
      "no mount)")(
      "socket-mode", po::value<std::string>()->value_name("MODE"),
      "permission bits of the socket, for owner, group and others: 0600, 0660, "
      "0666; the mount and the memory are closed to those, too, who may not "
      "write to the socket (default: 0666 for root and with --allow-users, "
      "else 0600)")(
      "socket-group", po::value<std::string>()->value_name("GROUP"),
      "group of the socket, the mount and the memory; a name or a number "
      "(default: the store's; with this option the mode's default is 0660)")(
      "allow-users",
      po::value<std::vector<std::string>>()->value_name("USER,..."),
      "the only users who may use the store, besides root and the user who "
      "runs it; names or numbers; may be given several times (default: all "
      "whom the mode admits)")(
      "passthrough", po::value<std::string>()->value_name("auto|on|off"),
      "let the kernel read and write objects under the mount by itself "
      "(default: auto, where kernel and privileges allow)");
  return group;
}

po::options_description LogGroup() {
  po::options_description group("Log", kHelpColumns);
  group.add_options()("log-level",
                      po::value<std::string>()->value_name("LEVEL"),
                      "trace, debug, info, warning, error, critical or off, to "
                      "standard error (default: warning)");
  return group;
}

po::options_description GeneralGroup() {
  po::options_description group("General", kHelpColumns);
  group.add_options()("config", po::value<std::string>()->value_name("FILE"),
                      "read options from FILE, one 'name = value' a line "
                      "without dashes; the command line wins")(
      "version", "print the version and exit")("help,h",
                                               "print this text and exit");
  return group;
}

// The options that the configuration file may have as well.
po::options_description FileOptions() {
  po::options_description options;
  options.add(StoreGroup())
      .add(SpillGroup())
      .add(QuotaGroup())
      .add(FrontEndGroup())
      .add(LogGroup());
  return options;
}

std::string HelpText() {
  std::ostringstream text;
  text << kUsage << "\n"
       << StoreGroup() << "\n"
       << SpillGroup() << "\n"
       << QuotaGroup() << "\n"
       << FrontEndGroup() << "\n"
       << LogGroup() << "\n"
       << GeneralGroup() << "\n"
       << kExitStatus;
  return text.str();
}

Error Invalid(const std::string& message) {
  std::string line = message;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return {Code::kInvalidArgument, line};
}

// Why Boost refuses `words`.  Its own message has those words in it, and for
// ever replaces what looks like one of its placeholders ("%option%") there.
std::string ReasonOf(const std::exception& failure, const std::string& words) {
  const auto* const of_option =
      dynamic_cast<const po::error_with_option_name*>(&failure);
  if (of_option == nullptr || words.find('%') == std::string::npos) {
    return failure.what();
  }
  return "option '" + of_option->get_option_name() +
         "' is unknown, or its value is missing or wrong";
}

// Turns Boost's exceptions into Errors.
Result<po::variables_map> ReadArguments(
    const std::vector<std::string>& arguments) {
  po::options_description all;
  all.add(FileOptions()).add(GeneralGroup());
  const int style = po::command_line_style::unix_style &
                    ~po::command_line_style::allow_guessing;
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional({})
                  .style(style)
                  .run(),
              values);
  } catch (const po::too_many_positional_options_error&) {
    return Invalid("only options are understood; see vitrined --help");
  } catch (const std::exception& failure) {
    std::string words;
    for (const std::string& argument : arguments) words += argument;
    return Invalid(ReasonOf(failure, words) + "; see vitrined --help");
  }
  return values;
}

Quotas QuotasOf(const po::variables_map& values) {
  if (values.count("quota") == 0) return {};
  return values["quota"].as<Quotas>();
}

Status ReadConfig(const std::string& path, po::variables_map* values) {
  std::ifstream file(path);
  std::error_code failure;
  // A directory can be opened, too, and reads as an empty file.
  if (!file || fs::is_directory(path, failure)) {
    return Invalid("config " + path + ": cannot be read");
  }
  std::stringstream text;
  text << file.rdbuf();
  if (file.bad()) return Invalid("config " + path + ": cannot be read");
  const po::options_description options = FileOptions();
  const Quotas own = QuotasOf(*values);
  try {
    po::store(po::parse_config_file(text, options), *values);
  } catch (const std::exception& error) {
    return Invalid("config " + path + ": " + ReasonOf(error, text.str()));
  }
  if (own.empty()) return {};
  // Boost has put those of the file behind; a later quota wins.
  Quotas& all = values->at("quota").as<Quotas>();
  std::rotate(all.begin(), all.begin() + static_cast<ptrdiff_t>(own.size()),
              all.end());
  return {};
}

// One option's text; none if it was not given.
std::optional<std::string> Given(const po::variables_map& values,
                                 const std::string& name) {
  if (values.count(name) == 0) return std::nullopt;
  return values[name].as<std::string>();
}

Status SetSize(const po::variables_map& values, const std::string& name,
               std::optional<uint64_t>* target) {
  const std::optional<std::string> text = Given(values, name);
  if (!text) return {};
  const Result<uint64_t> size = ParseSize(*text);
  if (!size) return Invalid("--" + name + ": " + size.error().message);
  *target = *size;
  return {};
}

// One of the words of `choices`; the first is the default.
template <typename T>
Status SetChoice(const po::variables_map& values, const std::string& name,
                 const std::array<std::pair<const char*, T>, 3>& choices,
                 T* target) {
  const std::string text = Given(values, name).value_or(choices[0].first);
  for (const auto& [word, choice] : choices) {
    if (text != word) continue;
    *target = choice;
    return {};
  }
  return Invalid("--" + name + ": '" + text + "' is not " + choices[0].first +
                 ", " + choices[1].first + " or " + choices[2].first);
}

Status SetSwitch(const po::variables_map& values, const std::string& name,
                 Switch* target) {
  return SetChoice<Switch>(
      values, name,
      {{{"auto", Switch::kAuto}, {"on", Switch::kOn}, {"off", Switch::kOff}}},
      target);
}

Status SetSealCopy(const po::variables_map& values, SealCopy* target) {
  return SetChoice<SealCopy>(values, "seal-copy",
                             {{{"auto", SealCopy::kAuto},
                               {"always", SealCopy::kAlways},
                               {"never", SealCopy::kNever}}},
                             target);
}

// "local", "interleave", or "node:" and a number.
Status SetNuma(const po::variables_map& values, NumaOptions* target) {
  const std::string text = Given(values, "numa").value_or("local");
  const std::string prefix = "node:";
  if (text == "local") {
    target->mode = NumaOptions::Mode::kLocal;
    return {};
  }
  if (text == "interleave") {
    target->mode = NumaOptions::Mode::kInterleave;
    return {};
  }
  const char* const end = text.data() + text.size();
  if (text.starts_with(prefix)) {
    const auto read =
        std::from_chars(text.data() + prefix.size(), end, target->node);
    target->mode = NumaOptions::Mode::kNode;
    if (read.ec == std::errc() && read.ptr == end) return {};
  }
  return Invalid("--numa: '" + text + "' is not local, interleave or node:N");
}

Status SetCatalogMode(const po::variables_map& values, mode_t* target) {
  const std::optional<std::string> text = Given(values, "catalog-mode");
  if (!text) return {};
  for (const auto& [name, mode] : kCatalogModes) {
    if (*text != name && *text != name + 1) continue;  // With and without 0.
    *target = mode;
    return {};
  }
  return Invalid("--catalog-mode: '" + *text + "' is not 0600, 0640 or 0644");
}

Status SetAbandonAfter(const po::variables_map& values,
                       std::optional<std::chrono::seconds>* target) {
  constexpr std::pair<char, int> kUnits[] = {
      {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  const std::optional<std::string> text = Given(values, "abandon-after");
  if (!text) return {};
  const char* const end = text->data() + text->size();
  uint32_t count = 0;
  const auto read = std::from_chars(text->data(), end, count);
  for (const auto& [unit, seconds] : kUnits) {
    const bool fits = read.ec == std::errc() && count > 0 &&
                      read.ptr + 1 == end && *read.ptr == unit;
    if (!fits) continue;
    *target = std::chrono::seconds(seconds) * count;
    return {};
  }
  return Invalid("--abandon-after: '" + *text +
                 "' is no time such as 30s, 10m, 2h or 1d");
}

Status SetPath(const po::variables_map& values, const std::string& name,
               std::string* target) {
  const std::optional<std::string> text = Given(values, name);
  if (!text) return {};
  if (text->empty()) return Invalid("--" + name + " needs a path");
  std::error_code failure;
  fs::path path = fs::absolute(*text, failure).lexically_normal();
  if (failure) return Invalid("--" + name + ": " + failure.message());
  if (!path.has_filename()) path = path.parent_path();
  *target = path;
  return {};
}

Status SetQuotas(const po::variables_map& values,
                 std::vector<store::Quota>* target) {
  for (const std::string& text : QuotasOf(values)) {
    auto quota = store::ParseQuota(text);
    if (!quota) return Invalid("--quota: " + quota.error().message);
    target->push_back(*std::move(quota));
  }
  return {};
}

Status SetLogLevel(const po::variables_map& values, std::string* target) {
  *target = Given(values, "log-level").value_or(kDefaultLogLevel);
  if (std::find(kLogLevels.begin(), kLogLevels.end(), *target) !=
      kLogLevels.end()) {
    return {};
  }
  return Invalid("--log-level: '" + *target +
                 "' is none of trace, debug, info, warning, error, critical, "
                 "off");
}

Result<std::string> DefaultStateDir() {
  if (::geteuid() == 0) return std::string("/var/lib/vitrine");
  const char* state_home = std::getenv("XDG_STATE_HOME");
  if (state_home != nullptr && *state_home == '/') {
    return std::string(state_home) + "/vitrine";
  }
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') {
    return std::string(home) + "/.local/state/vitrine";
  }
  return Invalid("HOME is not set: say --state-dir");
}

Status SetAccess(const po::variables_map& values, store::Access* target) {
  AccessTexts texts{.socket_mode = Given(values, "socket-mode"),
                    .socket_group = Given(values, "socket-group"),
                    .allow_users = {}};
  if (values.count("allow-users") != 0) {
    texts.allow_users = values["allow-users"].as<std::vector<std::string>>();
  }
  const Result<store::Access> access = ParseAccess(texts);
  if (!access) return access.error();
  *target = *access;
  return {};
}

Status SetSpillOf(const po::variables_map& values, StoreOptions* store) {
  SpillTexts texts{.on_exit = Given(values, "on-exit")};
  if (values.count("external-store") != 0) {
    texts.external_stores =
        values["external-store"].as<std::vector<std::string>>();
  }
  if (Status ok = SetPath(values, "spill", &texts.spill_dir); !ok) return ok;
  return SetSpill(texts, store);
}

Status SetStoreOptions(const po::variables_map& values, StoreOptions* store) {
  std::optional<uint64_t> threshold;
  for (const Status& status :
       {SetSize(values, "capacity", &store->capacity_bytes),
        SetSize(values, "overshoot", &store->overshoot_bytes),
        SetSize(values, "pool", &store->pool_bytes),
        SetSize(values, "dedicated-threshold", &threshold),
        SetSwitch(values, "huge-pages", &store->huge_pages),
        SetNuma(values, &store->numa), SetSealCopy(values, &store->seal_copy),
        SetQuotas(values, &store->quotas),
        SetCatalogMode(values, &store->catalog_mode),
        SetAccess(values, &store->access),
        SetAbandonAfter(values, &store->abandon_after),
        SetPath(values, "state-dir", &store->state_dir),
        SetPath(values, "memory-dir", &store->memory_dir),
        SetSize(values, "spill-limit", &store->spill_limit_bytes),
        SetSpillOf(values, store)}) {
    if (!status) return status;
  }
  if (store->capacity_bytes == 0U) return Invalid("--capacity: is zero");
  if (threshold) store->dedicated_threshold_bytes = *threshold;
  store->strict = values["strict"].as<bool>();
  store->recover = values["recover"].as<bool>();
  if (!store->state_dir.empty()) return {};
  Result<std::string> state_dir = DefaultStateDir();
  if (!state_dir) return state_dir.error();
  store->state_dir = *std::move(state_dir);
  return {};
}

Result<DaemonOptions> MakeOptions(const po::variables_map& values) {
  DaemonOptions options;
  options.socket_path = DefaultSocketPath();
  for (const Status& status :
       {SetStoreOptions(values, &options.store),
        SetPath(values, "socket", &options.socket_path),
        SetPath(values, "mount", &options.mount_dir),
        SetSwitch(values, "passthrough", &options.passthrough),
        SetLogLevel(values, &options.log_level)}) {
    if (!status) return status.error();
  }
  return options;
}

}  // namespace

Result<CommandLine> ParseCommandLine(
    const std::vector<std::string>& arguments) {
  Result<po::variables_map> values = ReadArguments(arguments);
  if (!values) return values.error();
  if (values->count("help") != 0) return CommandLine{HelpText(), {}};
  if (values->count("version") != 0) {
    return CommandLine{std::string("vitrined ") + Version() + "\n", {}};
  }
  if (const std::optional<std::string> config = Given(*values, "config")) {
    if (Status read = ReadConfig(*config, &*values); !read) {
      return read.error();
    }
  }
  Result<DaemonOptions> options = MakeOptions(*values);
  if (!options) return options.error();
  return CommandLine{"", *std::move(options)};
}

}  // namespace vitrine::fusefs
