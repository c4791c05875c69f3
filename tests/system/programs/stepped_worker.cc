// A producer that a test traces, one instruction after the other, through the
// end of an object: the put of a small one, or the seal of a larger one that
// is filled in a blank.
//
//   stepped_worker SOCKET ID BYTES {put,seal}
//
// Stops, by SIGSTOP, right before it and right after it.  Exit status 1: the
// store or the kernel refused something.

#include <signal.h>
#include <sys/ptrace.h>
#include <vitrine/client.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "tests/system/content.h"

namespace vitrine {
namespace {

int Fail(const char* what, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, error.ToString().c_str());
  return 1;
}

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

uint64_t BlanksSealed(Client* client) {
  const auto status = nlohmann::json::parse(*client->GetStatus());
  return status["server"]["rings"]["blanks_sealed"];
}

// Creates such objects until some were filled in blanks.
Status Warm(Client* client, const std::string& id, size_t size_bytes) {
  const uint64_t before = BlanksSealed(client);
  while (BlanksSealed(client) < before + 2) {
    auto writer = client->Create(Id(id), size_bytes);
    if (!writer) return writer.error();
    Status sealed = writer->Seal();
    if (sealed) sealed = client->Delete(Id(id));
    if (!sealed) return sealed;
  }
  return {};
}

// Runs `end` between two stops.
template <typename End>
int Stepped(End end) {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 1;
  ::raise(SIGSTOP);
  const Status ended = end();
  ::raise(SIGSTOP);
  return ended ? 0 : Fail("end", ended.error());
}

int StepThroughPut(Client* client, const std::string& id,
                   std::span<const std::byte> bytes) {
  // Opens the ring and binds what the put calls.
  const std::string first = id + "-first";
  Status put = client->PutLater(Id(first), bytes);
  if (put) put = client->Put(Id(first + "-2"), bytes);
  if (!put) return Fail("put", put.error());
  return Stepped([&] { return client->PutLater(Id(id), bytes); });
}

int StepThroughSeal(Client* client, const std::string& id, size_t size_bytes) {
  if (Status warm = Warm(client, id + "-first", size_bytes); !warm) {
    return Fail("warm", warm.error());
  }
  auto writer = client->Create(Id(id), size_bytes);
  if (!writer) return Fail("create", writer.error());
  FillContent(id, writer->bytes());
  return Stepped([&] { return writer->SealLater(); });
}

int Main(int argc, char** argv) {
  if (argc != 5) return 2;
  auto client = Client::Connect({.socket_path = argv[1], .name = "stepped"});
  if (!client) return Fail("connect", client.error());
  std::vector<std::byte> bytes(std::stoul(argv[3]));
  FillContent(argv[2], bytes);
  return std::string(argv[4]) == "put"
             ? StepThroughPut(&*client, argv[2], bytes)
             : StepThroughSeal(&*client, argv[2], bytes.size());
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) { return vitrine::Main(argc, argv); }
