// A producer that a test traces, one instruction after the other, through a
// put of a small object.
//
//   stepped_worker SOCKET ID BYTES
//
// Stops, by SIGSTOP, right before the put and right after it.  Exit status 1:
// the store or the kernel refused something.

#include <signal.h>
#include <sys/ptrace.h>
#include <vitrine/client.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/system/content.h"

namespace vitrine {
namespace {

int Fail(const char* what, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, error.ToString().c_str());
  return 1;
}

int Main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto client = Client::Connect({.socket_path = argv[1], .name = "stepped"});
  if (!client) return Fail("connect", client.error());
  const ObjectId id = *ObjectId::FromText(argv[2]);
  std::vector<std::byte> bytes(std::stoul(argv[3]));
  FillContent(argv[2], bytes);
  // Opens the ring and binds what the put calls.
  const std::string first = std::string(argv[2]) + "-first";
  Status put = client->PutLater(*ObjectId::FromText(first), bytes);
  if (put) put = client->Put(*ObjectId::FromText(first + "-2"), bytes);
  if (!put) return Fail("put", put.error());
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 1;
  ::raise(SIGSTOP);
  put = client->PutLater(id, bytes);
  ::raise(SIGSTOP);
  return put ? 0 : Fail("put", put.error());
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) { return vitrine::Main(argc, argv); }
