#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <memory>

#include "client/tools/command.h"
#include "client/tools/progress.h"
#include "client/tools/text.h"
#include "schema/base/unique_fd.h"
#include "schema/base/write_all.h"

namespace vitrine::tools {
namespace {

struct GetOptions {
  std::string id;
  std::string output;
  Timeout timeout = kPoll;
};

constexpr size_t kWriteBytes = 8 << 20;

using OnWrite = std::function<void(uint64_t done_bytes)>;

Status WriteAndSay(int fd, std::span<const std::byte> bytes,
                   const OnWrite& on_write) {
  for (size_t done = 0; done < bytes.size();) {
    const size_t size = std::min(bytes.size() - done, kWriteBytes);
    if (Status ok = WriteAll(fd, bytes.subspan(done, size)); !ok) return ok;
    done += size;
    on_write(done);
  }
  return {};
}

Status WriteToFile(const std::string& path, const ObjectId& id,
                   std::span<const std::byte> bytes) {
  UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd.valid()) return ErrnoError("open " + path, errno);
  Progress progress(id.text(), bytes.size());
  const Status status = WriteAndSay(
      fd.get(), bytes, [&](uint64_t done) { progress.Update(done); });
  if (!status) return status;
  // Some file systems report only at close(2) that they are full.
  if (::close(fd.release()) != 0) return ErrnoError("close " + path, errno);
  return {};
}

Status WriteToStandardOutput(const ObjectId& id,
                             std::span<const std::byte> bytes) {
  // The bar and the bytes would mix on one terminal.
  if (::isatty(STDOUT_FILENO) == 1) {
    return WriteAll(STDOUT_FILENO, bytes);
  }
  Progress progress(id.text(), bytes.size());
  return WriteAndSay(STDOUT_FILENO, bytes,
                     [&](uint64_t done) { progress.Update(done); });
}

// Replaces "not found" for an object that is still being written.
Error WhyNot(Client& client, const ObjectId& id, Error error) {
  if (error.code != Code::kNotFound) return error;
  const auto stat = client.Stat(id);
  if (stat && !stat->sealed) return {Code::kNotSealed, ""};
  return error;
}

int RunGet(const CommandLine& line, const GetOptions& options) {
  int exit_code = kExitOk;
  const auto ids = ParseIds("get", {options.id}, &exit_code);
  if (ids.empty()) return exit_code;
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  // Gets the object first, so that a failure leaves the output file as it was.
  auto object = client->Get(ids[0], options.timeout);
  if (!object) {
    return Fail("get " + options.id, WhyNot(*client, ids[0], object.error()));
  }
  const bool to_stdout = options.output.empty() || options.output == "-";
  const Status written =
      to_stdout ? WriteToStandardOutput(ids[0], object->bytes())
                : WriteToFile(options.output, ids[0], object->bytes());
  return written ? kExitOk : Fail("get " + options.id, written.error());
}

}  // namespace

void AddGetCommand(CLI::App* app, CommandLine* line) {
  auto options = std::make_shared<GetOptions>();
  CLI::App* command =
      app->add_subcommand("get",
                          "Write an object to standard output or a file.\n"
                          "\n"
                          "Example:\n"
                          "  vitrine get result-42 --timeout 1m | sha256sum");
  AddText(command, "ID", &options->id, "The object")->required();
  AddText(command, "-o,--output", &options->output,
          "Write there instead; left alone if there is no object")
      ->type_name("FILE");
  AddTimeout(command, &options->timeout,
             "Wait so long for the object to be sealed (default: not at all)");
  command->callback(
      [=] { line->run = [=] { return RunGet(*line, *options); }; });
}

}  // namespace vitrine::tools
