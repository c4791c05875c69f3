// What tests of the store's interface share.
#ifndef VITRINE_TESTS_STORE_STORE_CALLS_H_
#define VITRINE_TESTS_STORE_STORE_CALLS_H_

#include <future>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "store/segments/segment_file.h"
#include "store/store.h"

namespace vitrine::store {

// Waits for a Done callback.
template <typename T>
class Answer {
 public:
  Done<T> callback() {
    return [promise = promise_](Result<T> result) {
      promise->set_value(std::move(result));
    };
  }
  Result<T> Get() { return promise_->get_future().get(); }

 private:
  std::shared_ptr<std::promise<Result<T>>> promise_ =
      std::make_shared<std::promise<Result<T>>>();
};

// Waits for the seal.
inline Status SealNow(Store* store, const ObjectRef& object,
                      const ObjectId& id) {
  Answer<void> sealed;
  store->unsealed().Seal(object, id, sealed.callback());
  return sealed.Get();
}

inline Status SealBlankNow(Store* store, const ObjectRef& blank,
                           const BlankSeal& seal) {
  Answer<void> sealed;
  store->blanks().SealBlank(blank, seal, sealed.callback());
  return sealed.Get();
}

// All bytes of the sealed object `id`, or what went wrong.
inline std::string ReadSealed(Store* store, const std::string& id) {
  const auto object = store->sealed().FindSealed(*ObjectId::FromText(id));
  if (!object) return object.error().ToString();
  const ObjectInfo info = store->objects().Info(*object);
  auto file = store->objects().Share(*object);
  if (!file) return file.error().ToString();
  std::string data(info.size_bytes, '\0');
  auto read = (*file)->ReadAt(info.offset_bytes,
                              std::as_writable_bytes(std::span(data)));
  return read && *read == data.size() ? data : "short";
}

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_STORE_CALLS_H_
