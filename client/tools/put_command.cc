#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>
#include <memory>

#include "client/tools/command.h"
#include "client/tools/input.h"
#include "client/tools/progress.h"
#include "client/tools/text.h"
#include "schema/base/size.h"

namespace vitrine::tools {
namespace {

struct PutOptions {
  CLI::Option* files = nullptr;
  CLI::Option* meta = nullptr;
  std::string id;
  std::string mode_text;
  Timeout timeout = Timeout(10000);
  bool verbose = false;
};

Result<Metadata> ParseMetadata(const std::vector<std::string>& entries) {
  Metadata metadata;
  for (const std::string& entry : entries) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos) {
      return Error{Code::kInvalidArgument,
                   "'" + Printable(entry) + "' is not KEY=VALUE"};
    }
    metadata[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  if (Status status = CheckMetadata(metadata); !status) return status.error();
  return metadata;
}

// The default id for `path`.
std::string BaseName(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

Status FillAndSeal(Client& client, const ObjectId& id, Input& input,
                   const CreateOptions& options, const OnRead& on_read) {
  auto writer = client.Create(id, *input.size_bytes(), options);
  if (!writer) return writer.error();
  Status filled = input.ReadExactly(writer->bytes(), on_read);
  if (!filled) {
    const Status aborted = writer->Abort();
    return aborted ? filled : aborted;
  }
  return writer->Seal();
}

Status BufferAndPut(Client& client, const ObjectId& id, Input& input,
                    const CreateOptions& options, const OnRead& on_read) {
  GrowingBuffer buffer;
  if (Status filled = buffer.Fill(input, on_read); !filled) return filled;
  return client.Put(id, buffer.bytes(), options);
}

void PrintTransfer(const ObjectId& id, uint64_t size_bytes, double seconds) {
  const double rate = static_cast<double>(size_bytes) / std::max(seconds, 1e-9);
  Print(Printable(id.text()) + "  " + FormatSize(size_bytes) + "  " +
        FormatSize(static_cast<uint64_t>(rate)) + "/s\n");
}

Status PutOne(Client& client, const std::string& file, const ObjectId& id,
              CreateOptions options, bool has_mode, bool verbose) {
  auto input = file == "-" ? Input::StandardInput() : Input::OpenFile(file);
  if (!input) return input.error();
  if (!has_mode) options.mode = input->mode() & 0666;
  const auto start = std::chrono::steady_clock::now();
  uint64_t done = 0;
  Status status;
  {
    Progress progress(id.text(), input->size_bytes().value_or(0));
    const OnRead on_read = [&](uint64_t done_bytes) {
      done = done_bytes;
      progress.Update(done_bytes);
    };
    status = input->size_bytes()
                 ? FillAndSeal(client, id, *input, options, on_read)
                 : BufferAndPut(client, id, *input, options, on_read);
  }
  if (status && verbose) {
    const std::chrono::duration<double> elapsed =
        std::chrono::steady_clock::now() - start;
    PrintTransfer(id, done, elapsed.count());
  }
  return status;
}

// The usage errors; kExitOk: there is none.
int CheckFiles(const PutOptions& options) {
  const auto files = Words(options.files);
  if (!options.id.empty() && files.size() != 1) {
    return FailUsage("put", "--id goes with exactly one file");
  }
  for (const std::string& file : files) {
    if (file == "-" && options.id.empty()) {
      return FailUsage("put", "standard input needs a name: --id ID");
    }
  }
  return kExitOk;
}

int PutAll(Client& client, const PutOptions& options,
           const CreateOptions& create) {
  int exit_code = kExitOk;
  for (const std::string& file : Words(options.files)) {
    auto id =
        ObjectId::FromText(options.id.empty() ? BaseName(file) : options.id);
    const Status status =
        id ? PutOne(client, file, *id, create, !options.mode_text.empty(),
                    options.verbose)
           : Status(id.error());
    if (status) continue;
    const std::string name = file == "-" ? options.id : file;
    exit_code = Fail("put " + name, status.error());
    if (exit_code == kExitNoStore) break;
  }
  return exit_code;
}

int RunPut(const CommandLine& line, const PutOptions& options) {
  if (const int usage = CheckFiles(options); usage != kExitOk) return usage;
  CreateOptions create;
  create.timeout = options.timeout;
  auto metadata = ParseMetadata(Words(options.meta));
  if (!metadata) return FailUsage("put --meta", metadata.error().message);
  create.metadata = std::move(*metadata);
  if (!options.mode_text.empty()) {
    auto mode = ParseMode(options.mode_text);
    if (!mode) return FailUsage("put --mode", mode.error().message);
    create.mode = *mode;
    // The umask does not apply to a mode that was given as a number.
    ::umask(0);
  }
  int exit_code = kExitOk;
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  return FinishOutput(PutAll(*client, options, create));
}

}  // namespace

void AddPutCommand(CLI::App* app, CommandLine* line) {
  auto options = std::make_shared<PutOptions>();
  CLI::App* command = app->add_subcommand(
      "put",
      "Put files into the store: copy and seal.\n"
      "\n"
      "An object is named after its file unless --id says otherwise, and gets "
      "the\n"
      "file's permission bits (without x; umask applies).  It is there for "
      "others\n"
      "all at once, when it is sealed; nothing stays behind if that fails.\n"
      "Examples:\n"
      "  vitrine put model.bin --meta version=3\n"
      "  zcat data.gz | vitrine put - --id data");
  options->files =
      AddWords(command, "FILE", "Files; - is standard input (needs --id)")
          ->required();
  AddText(command, "--id", &options->id, "The object's id, for one file")
      ->type_name("ID");
  options->meta =
      AddRepeated(command, "--meta",
                  "What to say about the object; may be given several times. "
                  "Through the mount it is the extended attribute user.KEY")
          ->type_name("KEY=VALUE");
  AddText(command, "--mode", &options->mode_text,
          "Permission bits in octal, as they stand (no umask)")
      ->type_name("MODE");
  AddTimeout(command, &options->timeout,
             "How long to wait for space (default 10 s)");
  command->add_flag("-v,--verbose", options->verbose,
                    "Say what was put, and how fast");
  command->callback(
      [=] { line->run = [=] { return RunPut(*line, *options); }; });
}

}  // namespace vitrine::tools
