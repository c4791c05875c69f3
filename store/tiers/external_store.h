// External stores: where the bytes of evicted objects go.  This header and
// <vitrine/result.h> are all that an implementation needs.
//
// An external store maps names to values.  A name has 1 to 200 letters, digits,
// '.', '_' and '-', and does not begin with a '.'.  A value is any bytes, from
// a few hundred to many GB.
//
// To write one: derive from ExternalStoreHandle, and declare in the same source
//
//   const ExternalStore::Scheme kScheme("mystore", [](std::string_view url)
//       -> Result<std::unique_ptr<ExternalStoreHandle>> { ... });
//
// Then build with -DEXTERNAL_STORE_SOURCES=/path/to/my_store.cc (a list; the
// sources may lie anywhere), and give vitrined a URL "mystore://...".
// tests/external_store_example/ is one that can be copied.
#ifndef VITRINE_STORE_TIERS_EXTERNAL_STORE_H_
#define VITRINE_STORE_TIERS_EXTERNAL_STORE_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::store {

// A connection.  Used by one thread at a time; several handles of one store are
// used at once.
//
// What may pass if one only tries again is kUnavailable, kDisconnected,
// kTimeout, kTooMany or kIoError; the caller does that.  A handle that has
// returned kDisconnected is not used again.  kOutOfMemory: the store is full.
class ExternalStoreHandle {
 public:
  virtual ~ExternalStoreHandle() = default;

  // Makes `name` the concatenation of `parts`, and replaces what it was.  When
  // it returns OK the value is durable.  A reader sees all of it or what was
  // there before, also after a crash and after an error.
  using Part = std::span<const std::byte>;
  virtual Status Put(std::string_view name, std::span<const Part> parts) = 0;
  // Fills `bytes` with those from `offset_bytes` on.  kNotFound: there is no
  // such value.  kCorruption: it ends before.
  virtual Status Get(std::string_view name, uint64_t offset_bytes,
                     std::span<std::byte> bytes) = 0;
  // Unknown names are ignored.  When it returns OK the deletion is durable;
  // after an error some of the values may be gone.
  virtual Status Delete(std::span<const std::string> names) = 0;
  // Calls `visit` with each value, in any order.
  using Visitor =
      std::function<void(std::string_view name, uint64_t size_bytes)>;
  virtual Status List(const Visitor& visit) = 0;
};

class ExternalStore {
 public:
  // A new handle of the store at `url`, "<scheme>://<place>".
  // kInvalidArgument: no such scheme, which the message says, or no such place.
  static Result<std::unique_ptr<ExternalStoreHandle>> Connect(
      std::string_view url);
  // The schemes that were compiled in, sorted.
  static std::vector<std::string> Schemes();

  using Connector = std::function<Result<std::unique_ptr<ExternalStoreHandle>>(
      std::string_view url)>;
  // An object of static storage duration registers its scheme.
  class Scheme {
   public:
    Scheme(const char* scheme, Connector connect);
  };
};

// True for names as above.
bool IsExternalName(std::string_view name);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_EXTERNAL_STORE_H_
