// Gets resident objects over and over, between two system calls that a tracer
// finds again.
//
//   get_loop SOCKET GETS ID...
//
// Exit status 1, with a reason on stderr: a get failed.

#include <sys/syscall.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace vitrine {
namespace {

int Fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.ToString().c_str());
  return 1;
}

// What nobody else in this process calls.
void Mark() { ::syscall(SYS_getpgid, 0); }

std::optional<Error> GetAll(Client& client, const std::vector<ObjectId>& ids,
                            uint64_t gets) {
  for (uint64_t i = 0; i < gets; ++i) {
    auto object = client.Get(ids[i % ids.size()]);
    if (!object) return object.error();
    if (object->bytes().empty()) return Error{Code::kCorruption, "no bytes"};
  }
  return std::nullopt;
}

int Main(int argc, char** argv) {
  if (argc < 4) return 2;
  auto client = Client::Connect({.socket_path = argv[1], .name = "get_loop"});
  if (!client) return Fail(client.error());
  std::vector<ObjectId> ids;
  for (int i = 3; i < argc; ++i) {
    auto id = ObjectId::FromText(argv[i]);
    if (!id) return Fail(id.error());
    ids.push_back(*std::move(id));
  }
  if (auto failed = GetAll(*client, ids, ids.size())) return Fail(*failed);
  Mark();
  auto failed = GetAll(*client, ids, std::stoull(argv[2]));
  Mark();
  return failed ? Fail(*failed) : 0;
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) { return vitrine::Main(argc, argv); }
