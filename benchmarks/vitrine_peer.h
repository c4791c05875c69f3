// Vitrine as a peer of the workloads, through its public client.
#ifndef VITRINE_BENCHMARKS_VITRINE_PEER_H_
#define VITRINE_BENCHMARKS_VITRINE_PEER_H_

#include <vitrine/client.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "benchmarks/die.h"

namespace vitrine {

// One connection.
class VitrinePeer {
 public:
  using Id = ObjectId;
  using Held = std::optional<Object>;
  using Pending = Writer;
  static constexpr size_t kMaxOneCallPutBytes =
      std::numeric_limits<size_t>::max();
  // What is larger is put at once.
  static constexpr size_t kMaxPipelinedPutBytes = 32 << 10;

  explicit VitrinePeer(const std::string& address)
      : client_(OrDie(
            Client::Connect({.socket_path = address, .name = "benchmark"}))) {}

  static Id MakeId(uint64_t number) {
    return OrDie(ObjectId::FromText("benchmark-" + std::to_string(number)));
  }

  void Put(const Id& id, std::span<const std::byte> bytes) {
    OrDie(client_.Put(id, bytes));
  }
  void PutLater(const Id& id, std::span<const std::byte> bytes) {
    OrDie(client_.PutLater(id, bytes));
  }
  void Flush() {
    if (!OrDie(client_.Flush()).empty()) Die("a pipelined put failed");
  }
  Pending Create(const Id& id, size_t size_bytes) {
    return OrDie(client_.Create(id, size_bytes));
  }
  static std::span<std::byte> Bytes(Pending& pending) {
    return pending.bytes();
  }
  void Seal(Pending& pending) { OrDie(pending.Seal()); }

  Held Get(const Id& id) { return FoundOrDie(client_.Get(id)); }
  Held WaitFor(const Id& id, int64_t timeout_ms) {
    return FoundOrDie(client_.Get(id, Timeout(timeout_ms)));
  }
  void GetMany(std::span<const Id> ids, std::vector<Held>* many) {
    *many = OrDie(client_.GetMany(ids, {}));
  }
  static std::span<const std::byte> View(const Held& held) {
    return held->bytes();
  }

  void Delete(std::span<const Id> ids) {
    for (const Status& status : OrDie(client_.DeleteMany(ids))) {
      // What was evicted meanwhile is gone as well.
      if (!status && status.error().code != Code::kNotFound) OrDie(status);
    }
  }

  Client& client() { return client_; }

 private:
  template <typename T>
  static T OrDie(Result<T> result) {
    if (!result) Die(result.error().ToString());
    return std::move(*result);
  }
  static void OrDie(const Status& status) {
    if (!status) Die(status.error().ToString());
  }
  static Held FoundOrDie(Result<Object> object) {
    if (object) return std::move(*object);
    const Code code = object.error().code;
    if (code != Code::kNotFound && code != Code::kTimeout) {
      Die(object.error().ToString());
    }
    return std::nullopt;
  }

  Client client_;
};

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_VITRINE_PEER_H_
