// Apache Arrow Plasma as a peer of the workloads, through its C++ client.
#ifndef VITRINE_BENCHMARKS_PEERS_PLASMA_PEER_H_
#define VITRINE_BENCHMARKS_PEERS_PLASMA_PEER_H_

#include <plasma/client.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vitrine {

// One connection.
class PlasmaPeer {
 public:
  using Id = plasma::ObjectID;
  using Held = std::shared_ptr<arrow::Buffer>;
  struct Pending {
    Id id;
    std::shared_ptr<arrow::Buffer> buffer;
  };
  // Beyond it the bytes should not travel through the socket.
  static constexpr size_t kMaxOneCallPutBytes = 64 * 1024;

  explicit PlasmaPeer(const std::string& address);
  ~PlasmaPeer();
  PlasmaPeer(const PlasmaPeer&) = delete;
  PlasmaPeer& operator=(const PlasmaPeer&) = delete;

  static Id MakeId(uint64_t number);

  // CreateAndSeal: the bytes travel in the message.
  void Put(const Id& id, std::span<const std::byte> bytes);
  // Evicts what nobody uses; tries again while all is in use.
  Pending Create(const Id& id, size_t size_bytes);
  static std::span<std::byte> Bytes(Pending& pending);
  // Drops both references of the creator.
  void Seal(Pending& pending);

  Held Get(const Id& id) { return WaitFor(id, 0); }
  Held WaitFor(const Id& id, int64_t timeout_ms);
  void GetMany(std::span<const Id> ids, std::vector<Held>* many);
  static std::span<const std::byte> View(const Held& held);

  void Delete(std::span<const Id> ids);

 private:
  plasma::PlasmaClient client_;
  // Kept, so that a get allocates no vector.
  std::vector<Id> one_id_;
  std::vector<plasma::ObjectBuffer> buffers_;
};

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_PEERS_PLASMA_PEER_H_
