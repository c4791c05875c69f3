#include "client/tools/command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>

#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

void Complain(const std::string& text) {
  // Earlier output comes before the error message.
  std::fflush(stdout);
  std::fprintf(stderr, "vitrine: %s\n", text.c_str());
}

int ExitCodeOf(Code code) {
  return code == Code::kUnavailable || code == Code::kDisconnected
             ? kExitNoStore
             : kExitFailed;
}

std::string What(const std::string& verb, const std::string& name) {
  return verb + " " + name;
}

constexpr char kProtector = '\x01';

std::string Unprotect(const std::string& word) {
  const bool is_protected = word.size() >= 2 && word[0] == kProtector &&
                            (word[1] == '[' || word[1] == kProtector);
  return is_protected ? word.substr(1) : word;
}

}  // namespace

std::string Explain(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
    case Code::kAlreadyExists:
    case Code::kNotSealed:
    case Code::kPermissionDenied:
    case Code::kTimeout:
    case Code::kGone:
      return CodeName(error.code);
    default:
      return error.message.empty() ? CodeName(error.code) : error.ToString();
  }
}

int Fail(std::string_view what, const Error& error) {
  Complain(Printable(what) + ": " + Explain(error));
  return ExitCodeOf(error.code);
}

int FailWith(std::string_view what, std::string_view why) {
  Complain(Printable(what) + ": " + std::string(why));
  return kExitFailed;
}

int FailUsage(std::string_view what, std::string_view why) {
  Complain(Printable(what) + ": " + std::string(why));
  return kExitUsage;
}

std::optional<Client> Connect(const CommandLine& line, Timeout timeout,
                              int* exit_code) {
  ConnectOptions options;
  options.socket_path = line.socket_path;
  options.timeout = timeout;
  options.name = "vitrine";
  auto client = Client::Connect(options);
  if (client) return std::move(*client);
  *exit_code = Fail("connect", client.error());
  return std::nullopt;
}

int ForEachId(const std::string& verb, const std::vector<std::string>& names,
              const std::function<Status(const ObjectId&)>& action) {
  int exit_code = kExitOk;
  for (const ObjectId& id : ParseIds(verb, names, &exit_code)) {
    const Status status = action(id);
    if (status) continue;
    exit_code = Fail(What(verb, id.text()), status.error());
    if (exit_code == kExitNoStore) break;
  }
  return exit_code;
}

std::vector<ObjectId> ParseIds(const std::string& verb,
                               const std::vector<std::string>& names,
                               int* exit_code) {
  std::vector<ObjectId> ids;
  ids.reserve(names.size());
  for (const std::string& name : names) {
    auto id = ObjectId::FromText(name);
    if (id) {
      ids.push_back(std::move(*id));
    } else {
      *exit_code = Fail(What(verb, name), id.error());
    }
  }
  return ids;
}

std::vector<std::string> ProtectWords(int argc, const char* const* argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool special = word.starts_with('[') || word.starts_with(kProtector);
    words.emplace_back(special ? 1 : 0, kProtector);
    words.back() += word;
  }
  return words;
}

CLI::Option* AddText(CLI::App* command, const std::string& name,
                     std::string* text, const std::string& help) {
  return command
      ->add_option_function<std::string>(
          name, [text](const std::string& word) { *text = Unprotect(word); },
          help)
      ->type_name("");
}

CLI::Option* AddWords(CLI::App* command, const std::string& name,
                      const std::string& help) {
  return command
      ->add_option_function<std::vector<std::string>>(
          name, [](const std::vector<std::string>&) {}, help)
      ->type_name("");
}

CLI::Option* AddRepeated(CLI::App* command, const std::string& name,
                         const std::string& help) {
  // Otherwise the option would take the words that follow.
  return AddWords(command, name, help)->allow_extra_args(false);
}

std::vector<std::string> Words(const CLI::Option* option) {
  // A bound variable would be empty for the one word "{}".
  std::vector<std::string> words;
  for (const std::string& word : option->results()) {
    words.push_back(Unprotect(word));
  }
  return words;
}

CLI::Option* AddTimeout(CLI::App* command, Timeout* timeout,
                        const std::string& help) {
  return command
      ->add_option_function<std::string>(
          "--timeout",
          [timeout](const std::string& text) {
            auto parsed = ParseTimeout(text);
            if (!parsed) {
              throw CLI::ValidationError("--timeout", parsed.error().message);
            }
            *timeout = *parsed;
          },
          help)
      ->type_name("TIME");
}

void Print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int FinishOutput(int exit_code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  Complain(std::string("write: ") + std::strerror(errno));
  return kExitFailed;
}

}  // namespace vitrine::tools
