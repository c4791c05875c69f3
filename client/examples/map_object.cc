// Gets an object of float64 numbers from a store and sums them, in place.
//
//   map_object ID
//
// Prints the same line as map_file.py, which reads the same memory through
// the mount without knowing of Vitrine.
#include <vitrine/client.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <span>

namespace {

using Seconds = std::chrono::duration<double>;

// Four sums at a time keep the processor from waiting for each addition.  For
// whole numbers below 2^53 the order does not matter.
double Sum(std::span<const std::byte> bytes) {
  constexpr size_t kLanes = 4;
  std::array<double, kLanes> sums{};
  const size_t count = bytes.size() / sizeof(double);
  for (size_t i = 0; i < count; ++i) {
    double value;
    std::memcpy(&value, bytes.data() + i * sizeof(value), sizeof(value));
    sums[i % kLanes] += value;
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

int Fail(const vitrine::Error& error) {
  std::fprintf(stderr, "map_object: %s\n", error.ToString().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "Usage: map_object ID\n");
    return 2;
  }
  auto id = vitrine::ObjectId::FromText(argv[1]);
  if (!id) return Fail(id.error());
  vitrine::ConnectOptions options;
  options.name = "map_object";
  auto client = vitrine::Client::Connect(options);
  if (!client) return Fail(client.error());

  const auto start = std::chrono::steady_clock::now();
  auto object = client->Get(*id);
  if (!object) return Fail(object.error());
  const double sum = Sum(object->bytes());
  const Seconds took = std::chrono::steady_clock::now() - start;
  std::printf("%zu numbers, sum %.0f, %.2f GB/s\n",
              object->size_bytes() / sizeof(double), sum,
              static_cast<double>(object->size_bytes()) / took.count() / 1e9);
  return 0;
}
