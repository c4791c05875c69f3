// A native creator that a test kills at any moment: makes objects of all
// sizes, some of them in blanks, seals some, and leaves the others half-made.
//
//   doomed_worker SOCKET SEED
//
// Id of the n-th object: doomed-SEED-n; number 0 is announced and never sealed.
// Exit status 1: the store refused something.

#include <vitrine/client.h>

#include <cstdio>
#include <deque>
#include <random>
#include <string>

#include "tests/system/content.h"

namespace vitrine {
namespace {

constexpr size_t kMostUnsealed = 4;
constexpr uint64_t kMostBytes = 1 << 20;
constexpr uint64_t kUsualBytes = 300'000;

int Fail(const std::string& what, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), error.ToString().c_str());
  return 1;
}

int Main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto client = Client::Connect({.socket_path = argv[1], .name = "doomed"});
  if (!client) return Fail("connect", client.error());
  std::mt19937_64 random(std::stoull(argv[2]));
  std::deque<Writer> unsealed;
  for (uint64_t made = 0;; ++made) {
    const std::string id =
        std::string("doomed-") + argv[2] + "-" + std::to_string(made);
    const bool announced = made == 0 || random() % 2 == 0;
    const uint64_t size =
        announced ? 1 + random() % (kMostBytes >> random() % 12) : kUsualBytes;
    auto writer =
        client->Create(*ObjectId::FromText(id), size, {.announce = announced});
    if (!writer) return Fail("create " + id, writer.error());
    FillContent(id, writer->bytes());
    unsealed.push_back(*std::move(writer));
    if (unsealed.size() <= kMostUnsealed) continue;
    auto chosen = unsealed.begin() + 1;
    const auto how = random() % 3;
    Status sealed = how == 0   ? chosen->Seal()
                    : how == 1 ? chosen->SealLater()
                               : chosen->Abort();
    if (!sealed) return Fail("seal", sealed.error());
    unsealed.erase(chosen);
  }
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) { return vitrine::Main(argc, argv); }
