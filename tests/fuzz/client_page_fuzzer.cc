// The page in which a client tells of its pins, touches and waits, with any
// bytes.
//
// Properties: the store reads it without harm; what another client has pinned
// stays; once the client is gone, all that it seemed to pin can be evicted.
#include <unistd.h>

#include <cstring>
#include <string>
#include <unordered_set>

#include "client/index/index_reader.h"
#include "schema/base/mapping.h"
#include "schema/client_page.h"
#include "store/index/client_registry.h"
#include "tests/fuzz/store_in_process.h"

namespace vitrine::fuzz {
namespace {

class PageClient {
 public:
  explicit PageClient(store::ClientRegistry* registry) : registry_(registry) {
    auto added = registry_->Add(
        {.name = "fuzzer", .pid = ::getpid(), .uid = 0, .recall = [](auto&) {
         }});
    FUZZ_OK(added);
    number_ = added->client;
    auto mapping = Mapping::Map(added->page.get(), sizeof(ClientPage),
                                PROT_READ | PROT_WRITE);
    FUZZ_OK(mapping);
    mapping_ = *std::move(mapping);
  }
  PageClient(const PageClient&) = delete;
  PageClient& operator=(const PageClient&) = delete;
  ~PageClient() { registry_->Remove(number_); }

  ClientPage& page() const {
    return *reinterpret_cast<ClientPage*>(mapping_.data());
  }
  void WriteAnywhere(Input* input) {
    const size_t place = input->Take<uint32_t>() % sizeof(ClientPage);
    const std::string bytes = input->Text();
    std::memcpy(mapping_.data() + place, bytes.data(),
                std::min(bytes.size(), sizeof(ClientPage) - place));
  }
  // Into a field, so that it means something.
  void WriteField(Input* input) {
    PageStripe& stripe = page().stripes[input->Byte() % kPageStripes];
    const auto value = static_cast<uint32_t>(input->Wild());
    switch (input->Byte() % 6) {
      case 0:
        stripe.pins_high_water = value;
        return;
      case 1:
        stripe.touch_count = value;
        return;
      case 2:
        stripe.touches[input->Byte() % kTouchesPerStripe] = value;
        return;
      case 3:
        page().kept_mappings = value;
        return;
      case 4:
        page().awaited_groups = input->Wild();
        return;
      default:
        stripe.pins[input->Byte() % kPinsPerStripe] =
            MakePin(value, input->Byte());
    }
  }

 private:
  store::ClientRegistry* const registry_;
  uint64_t number_ = 0;
  Mapping mapping_;
};

class StoreWithPages {
 public:
  StoreWithPages() {
    const auto fd = store_->facts().OpenIndex();
    FUZZ_OK(fd);
    auto index = IndexReader::Open(fd->get());
    FUZZ_OK(index);
    index_ = std::make_unique<IndexReader>(*std::move(index));
  }

  void Fuzz(Input input) {
    store::ClientRegistry& registry = store_->events().clients();
    // An eviction may wait; most inputs are only read.
    if (input.Byte() < 0xc0) return FuzzReading(&registry, &input);
    PutObjects();
    {
      PageClient honest(&registry);
      Pin(&honest.page(), "a");
      PageClient hostile(&registry);
      while (!input.at_end()) TakeStep(&hostile, &input);
      ReadAll(&registry);
      Evict();
      FUZZ_OK(store_->sealed().FindSealed(*ObjectId::FromText("a")));
    }
    Evict();
    FUZZ_CHECK(!store_->sealed().FindSealed(*ObjectId::FromText("a")));
    store_.ExpectNoHarm();
  }

 private:
  static void FuzzReading(store::ClientRegistry* registry, Input* input) {
    PageClient hostile(registry);
    while (!input->at_end()) {
      TakeStep(&hostile, input);
      if (input->Flag()) ReadAll(registry);
    }
    ReadAll(registry);
  }
  void PutObjects() {
    for (const char* id : {"a", "b", "c"}) {
      store::Answer<store::ObjectRef> created;
      store_->memory().CreateSized(*ObjectId::FromText(id), 4096, {}, {},
                                   created.callback());
      auto object = created.Get();
      FUZZ_OK(object);
      FUZZ_OK(store::SealNow(store_.get(), *object, *ObjectId::FromText(id)));
    }
  }
  void Pin(ClientPage* page, const std::string& id) const {
    IndexReader::Entry entry = {};
    FUZZ_CHECK(index_->Find(id, &entry) == IndexReader::Outcome::kFound);
    page->stripes[3].pins[5] = MakePin(entry.slot, SlotGeneration(entry.word));
    page->stripes[3].pins_high_water = 6;
  }
  static void TakeStep(PageClient* client, Input* input) {
    if (input->Byte() % 4 == 0) return client->WriteAnywhere(input);
    client->WriteField(input);
  }
  // What the store's threads do, at once.
  static void ReadAll(store::ClientRegistry* registry) {
    FUZZ_CHECK(registry->CollectPins().size() <=
               2 * kPageStripes * kPinsPerStripe);
    const std::unordered_set<uint64_t> wanted = {MakePin(1, 1)};
    FUZZ_CHECK(registry->FindPins(wanted).size() <= 1);
    size_t touches = 0;
    registry->DrainTouches([&](uint32_t) { ++touches; });
    FUZZ_CHECK(touches <= 2 * kPageStripes * kTouchesPerStripe);
    registry->KeepMappings();
    registry->AwaitedGroups();
    registry->CountWaiters();
    FUZZ_CHECK(!registry->GetStatus().empty());
  }
  void Evict() const {
    store::Answer<uint64_t> evicted;
    store_->sealed().Evict(StoreInProcess::kCapacityBytes, evicted.callback());
    FUZZ_OK(evicted.Get());
  }

  StoreInProcess store_;
  std::unique_ptr<IndexReader> index_;
};

}  // namespace
}  // namespace vitrine::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static vitrine::fuzz::StoreWithPages store;
  store.Fuzz(vitrine::fuzz::Input(data, size));
  return 0;
}
