#include "benchmarks/peers/plasma_peer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "benchmarks/processes.h"

namespace vitrine {
namespace {

void OrDie(const arrow::Status& status) {
  if (!status.ok()) Die("plasma: " + status.ToString());
}

}  // namespace

PlasmaPeer::PlasmaPeer(const std::string& address) {
  OrDie(client_.Connect(address));
}

PlasmaPeer::~PlasmaPeer() { (void)client_.Disconnect(); }

PlasmaPeer::Id PlasmaPeer::MakeId(uint64_t number) {
  std::string bytes(plasma::kUniqueIDSize, 'v');
  std::memcpy(bytes.data(), &number, sizeof number);
  return plasma::ObjectID::from_binary(bytes);
}

void PlasmaPeer::Put(const Id& id, std::span<const std::byte> bytes) {
  const std::string data(reinterpret_cast<const char*>(bytes.data()),
                         bytes.size());
  OrDie(client_.CreateAndSeal(id, data, ""));
}

PlasmaPeer::Pending PlasmaPeer::Create(const Id& id, size_t size_bytes) {
  const int64_t end = NowNs() + 10'000'000'000;
  while (true) {
    Pending pending{id, nullptr};
    const arrow::Status status = client_.Create(
        id, static_cast<int64_t>(size_bytes), nullptr, 0, &pending.buffer);
    if (status.ok()) return pending;
    if (!plasma::IsPlasmaStoreFull(status) || NowNs() > end) OrDie(status);
    SleepMicroseconds(100);
  }
}

std::span<std::byte> PlasmaPeer::Bytes(Pending& pending) {
  return {reinterpret_cast<std::byte*>(pending.buffer->mutable_data()),
          static_cast<size_t>(pending.buffer->size())};
}

void PlasmaPeer::Seal(Pending& pending) {
  OrDie(client_.Seal(pending.id));
  pending.buffer.reset();
  // The buffer of a create lets go of nothing, unlike that of a get.
  OrDie(client_.Release(pending.id));
}

PlasmaPeer::Held PlasmaPeer::WaitFor(const Id& id, int64_t timeout_ms) {
  one_id_.assign(1, id);
  buffers_.clear();
  OrDie(client_.Get(one_id_, timeout_ms, &buffers_));
  Held held = std::move(buffers_[0].data);
  buffers_.clear();  // The metadata would hold the object too.
  return held;
}

void PlasmaPeer::GetMany(std::span<const Id> ids, std::vector<Held>* many) {
  one_id_.assign(ids.begin(), ids.end());
  buffers_.clear();
  OrDie(client_.Get(one_id_, 0, &buffers_));
  many->clear();
  for (plasma::ObjectBuffer& buffer : buffers_) {
    many->push_back(std::move(buffer.data));
  }
  buffers_.clear();
}

std::span<const std::byte> PlasmaPeer::View(const Held& held) {
  return {reinterpret_cast<const std::byte*>(held->data()),
          static_cast<size_t>(held->size())};
}

void PlasmaPeer::Delete(std::span<const Id> ids) {
  OrDie(client_.Delete(std::vector<Id>(ids.begin(), ids.end())));
}

}  // namespace vitrine
