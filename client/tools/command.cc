#include "client/tools/command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>

#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

void Complain(const std::string& text) {
  // What was printed before stands before the complaint.
  std::fflush(stdout);
  std::fprintf(stderr, "vitrine: %s\n", text.c_str());
}

int ExitCodeOf(Code code) {
  return code == Code::kUnavailable || code == Code::kDisconnected
             ? kExitNoStore
             : kExitFailed;
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
    exit_code = Fail(verb + " " + id.text(), status.error());
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
      *exit_code = Fail(verb + " " + name, id.error());
    }
  }
  return ids;
}

CLI::Option* AddWords(CLI::App* command, const std::string& name,
                      const std::string& help) {
  // The library would take "[a,b]" for a list and "{}" for nothing: the first
  // is turned off here, the second is why results() is read instead of a bound
  // variable.
  return command
      ->add_option_function<std::vector<std::string>>(
          name, [](const std::vector<std::string>&) {}, help)
      ->allow_extra_args(false);
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
