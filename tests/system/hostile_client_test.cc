// Clients that lie, babble, stall and pry: each gets an error or is hung up
// on, and the store goes on serving the good ones.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <random>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/client_page.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_ring.h"
#include "tests/system/content.h"
#include "tests/system/raw_peer.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr size_t kBytes = 300'000;
constexpr size_t kMoreDescriptors = 16;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

protocol::CreateT MakeCreate(const std::string& id, uint64_t size) {
  protocol::CreateT create;
  create.id = id;
  create.size_bytes = size;
  return create;
}

class HostileClientTest : public testing::Test {
 protected:
  void SetUp() override {
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    client_.emplace(store_.Connect("good"));
    std::vector<std::byte> bytes(kBytes);
    FillContent("public", bytes);
    ASSERT_TRUE(client_->Put(Id("public"), bytes));
    (void)store_.GetStatus();
    descriptors_ = store_.OpenDescriptors();
  }

  // The good client sees nothing of it.
  void TearDown() override {
    if (IsSkipped() || HasFatalFailure()) return;
    auto object = client_->Get(Id("public"));
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_EQ(CheckContent("public", object->bytes()), kBytes);
    std::vector<std::byte> bytes(kBytes);
    FillContent("another", bytes);
    Status put = store_.Connect().Put(Id("another"), bytes);
    EXPECT_TRUE(put) << put.error().ToString();
    EXPECT_TRUE(Eventually([this] {
      return store_.OpenDescriptors() <= descriptors_ + kMoreDescriptors;
    })) << store_.OpenDescriptors();
    EXPECT_TRUE(client_->List(Listed::kUnsealed)->empty());
    EXPECT_EQ(store_.Stop(), 0);
  }

  std::vector<uint8_t> Garbage() {
    std::vector<uint8_t> bytes(1 + random_() % 2000);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
    return bytes;
  }

  // Requests of every kind, made so that a slip of a bit may mean something.
  static std::vector<std::vector<uint8_t>> ValidPackets() {
    protocol::PutT put;
    put.id = "put";
    put.data = {1, 2, 3};
    protocol::WaitT wait;
    wait.ids = {"public", "never"};
    wait.timeout_ms = 1;
    protocol::DeleteT remove;
    remove.ids = {"none"};
    protocol::StatT stat;
    stat.id = "public";
    protocol::OpenT open;
    open.id = "public";
    protocol::ListT list;
    list.limit = 10;
    return {MakePacket(MakeCreate("created", 4096)),
            MakePacket(std::move(put)),
            MakePacket(std::move(wait)),
            MakePacket(std::move(remove)),
            MakePacket(std::move(stat)),
            MakePacket(std::move(open)),
            MakePacket(std::move(list)),
            MakePacket(MakeHello(protocol::Role::kSession))};
  }

  StoreProcess store_{{.capacity = "32M", .mount = false}};
  std::optional<Client> client_;
  size_t descriptors_ = 0;
  std::mt19937 random_{20240613};
};

TEST_F(HostileClientTest, GarbageInsteadOfHelloIsHungUpOn) {
  for (int i = 0; i < 200; ++i) {
    RawPeer peer(store_.socket());
    ASSERT_TRUE(peer.connected());
    (void)peer.Send(Garbage());
    ASSERT_TRUE(peer.IsClosed()) << i;
  }
}

TEST_F(HostileClientTest, GarbageInsteadOfARequestIsHungUpOn) {
  for (int i = 0; i < 100; ++i) {
    RawClient client(store_.socket());
    ASSERT_TRUE(client.valid);
    (void)client.call.Send(Garbage());
    ASSERT_TRUE(client.call.IsClosed()) << i;
  }
}

TEST_F(HostileClientTest, TruncatedAndDamagedRequestsDoNoHarm) {
  const auto packets = ValidPackets();
  for (int i = 0; i < 600; ++i) {
    std::vector<uint8_t> packet = packets[random_() % packets.size()];
    if (random_() % 3 == 0) {
      packet.resize(1 + random_() % packet.size());
    } else {
      for (int flips = 0; flips < 3; ++flips) {
        packet[random_() % packet.size()] ^=
            static_cast<uint8_t>(1u << random_() % 8);
      }
    }
    RawClient client(store_.socket());
    ASSERT_TRUE(client.valid) << i;
    // An error, an answer, or the end: but soon.
    (void)client.call.Send(packet);
    (void)client.call.Receive(i % 20 == 0 ? 100 : 0);
  }
}

TEST_F(HostileClientTest, OtherVersionsAreToldSo) {
  for (const uint32_t version : {0u, kProtocolVersion + 1, UINT32_MAX}) {
    RawPeer peer(store_.socket());
    protocol::HelloT hello = MakeHello(protocol::Role::kSession);
    hello.version = version;
    EXPECT_EQ(peer.AskForFailure(std::move(hello)), Code::kVersionMismatch);
    EXPECT_TRUE(peer.IsClosed());
  }
}

TEST_F(HostileClientTest, MadeUpTokensAreRefused) {
  RawClient honest(store_.socket());
  ASSERT_TRUE(honest.valid);
  std::vector<uint8_t> nearly = honest.token;
  nearly.back() ^= 1;
  for (const std::vector<uint8_t>& token :
       {std::vector<uint8_t>(), std::vector<uint8_t>(kSessionTokenBytes, 0),
        nearly, std::vector<uint8_t>(1000, 7)}) {
    RawPeer peer(store_.socket());
    EXPECT_TRUE(peer.AskForFailure(MakeHello(protocol::Role::kCall, token)));
  }
}

TEST_F(HostileClientTest, NumbersOfOthersObjectsAreRefused) {
  auto writer = client_->Create(Id("mine"), kBytes);
  ASSERT_TRUE(writer) << writer.error().ToString();
  RawClient thief(store_.socket());
  ASSERT_TRUE(thief.valid);
  for (uint64_t number = 0; number < 64; ++number) {
    protocol::SealT seal;
    seal.number = number;
    EXPECT_TRUE(thief.call.AskForFailure(std::move(seal))) << number;
    protocol::AbortT abort;
    abort.number = number;
    EXPECT_TRUE(thief.call.AskForFailure(std::move(abort))) << number;
  }
  FillContent("mine", writer->bytes());
  Status sealed = writer->Seal();
  ASSERT_TRUE(sealed) << sealed.error().ToString();
  auto object = client_->Get(Id("mine"));
  ASSERT_TRUE(object);
  EXPECT_EQ(CheckContent("mine", object->bytes()), kBytes);
}

TEST_F(HostileClientTest, IdsThatAreNoneAreRefused) {
  RawClient client(store_.socket());
  ASSERT_TRUE(client.valid);
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."),
        std::string("../../etc/passwd"), std::string("a\0b", 3),
        std::string(256, 'x')}) {
    const auto code = client.call.AskForFailure(MakeCreate(id, 4096));
    EXPECT_EQ(code, Code::kInvalidArgument) << id;
  }
}

TEST_F(HostileClientTest, ImpossibleSizesAreRefused) {
  for (const uint64_t size :
       {UINT64_MAX, UINT64_MAX - 4095, uint64_t{1} << 63, uint64_t{33} << 20}) {
    RawClient client(store_.socket());
    ASSERT_TRUE(client.valid);
    EXPECT_EQ(client.call.AskForFailure(MakeCreate("huge", size)),
              Code::kTooLarge)
        << size;
  }
}

// All pins claimed, the count of touches beyond all sense: objects may stay
// longer than they should, and that is all.
TEST_F(HostileClientTest, APageFullOfLiesHarmsNobody) {
  RawClient liar(store_.socket());
  ASSERT_TRUE(liar.valid);
  RawPeer session(store_.socket());
  ASSERT_TRUE(session.Ask(MakeHello(protocol::Role::kSession)));
  ASSERT_GE(session.fds().size(), 2u);
  auto page = Mapping::Map(session.fds()[1].get(), sizeof(ClientPage),
                           PROT_READ | PROT_WRITE);
  ASSERT_TRUE(page) << page.error().ToString();
  for (const int fill : {0xff, 0x7f, 0x01, 0x80}) {
    std::memset(page->data(), fill, page->size_bytes());
    ASSERT_TRUE(client_->Evict(1 << 20));
    ASSERT_FALSE(store_.GetStatus().is_discarded());
    std::vector<std::byte> bytes(kBytes);
    FillContent("object", bytes);
    ASSERT_TRUE(client_->Put(Id("object"), bytes));
    ASSERT_TRUE(client_->Delete(Id("object")));
  }
  for (int i = 0; i < 200; ++i) {
    for (size_t at = 0; at + 4 <= page->size_bytes(); at += 4) {
      const auto word = static_cast<uint32_t>(random_());
      std::memcpy(page->data() + at, &word, 4);
    }
    if (i % 20 != 0) continue;
    ASSERT_TRUE(client_->Evict(1 << 20));
  }
  std::vector<std::byte> bytes(kBytes);
  FillContent("public", bytes);
  if (!*client_->Contains(Id("public"))) {
    ASSERT_TRUE(client_->Put(Id("public"), bytes));
  }
}

// A page that became shorter would be the store's SIGBUS.
TEST_F(HostileClientTest, ThePageCannotBeCutShort) {
  RawPeer session(store_.socket());
  ASSERT_TRUE(session.Ask(MakeHello(protocol::Role::kSession)));
  ASSERT_GE(session.fds().size(), 2u);
  for (const UniqueFd& fd : session.fds()) {
    struct stat before;
    ASSERT_EQ(::fstat(fd.get(), &before), 0);
    (void)!::ftruncate(fd.get(), 0);
    (void)::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                      before.st_size);
    struct stat after;
    ASSERT_EQ(::fstat(fd.get(), &after), 0);
    EXPECT_EQ(before.st_size, after.st_size);
  }
  ASSERT_TRUE(client_->Evict(0));
  ASSERT_FALSE(store_.GetStatus().is_discarded());
}

// A client may write to its own page, and to nothing else that it is given.
TEST_F(HostileClientTest, TheIndexCannotBeWritten) {
  RawPeer session(store_.socket());
  ASSERT_TRUE(session.Ask(MakeHello(protocol::Role::kSession)));
  ASSERT_GE(session.fds().size(), 1u);
  auto mapping =
      Mapping::Map(session.fds()[0].get(), 4096, PROT_READ | PROT_WRITE);
  EXPECT_FALSE(mapping);
  EXPECT_LT(::pwrite(session.fds()[0].get(), "x", 1, 0), 0);
}

TEST_F(HostileClientTest, SentDescriptorsAreNotKept) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::vector<int> fds(4, null.get());
  for (int i = 0; i < 100; ++i) {
    RawPeer peer(store_.socket());
    ASSERT_TRUE(peer.connected()) << i;
    // Where the kernel lets a receiver refuse them, it does not even arrive.
    if (!peer.Send(MakePacket(MakeHello(protocol::Role::kSession)), fds)) {
      continue;
    }
    (void)peer.Receive();
  }
}

TEST_F(HostileClientTest, StallingConnectionsKeepNobodyWaiting) {
  std::vector<RawPeer> silent;
  for (int i = 0; i < 100; ++i) silent.emplace_back(store_.socket());
  // Asks much and reads nothing.
  RawClient deaf(store_.socket());
  ASSERT_TRUE(deaf.valid);
  protocol::ListT list;
  list.limit = 1000;
  const auto packet = MakePacket(std::move(list));
  for (int i = 0; i < 3; ++i) (void)deaf.call.Send(packet);

  const auto start = std::chrono::steady_clock::now();
  Client client = store_.Connect("patient");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(client.Stat(Id("public")));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(HostileClientTest, ASessionThatGoesTakesItsObjectsAlong) {
  {
    RawClient client(store_.socket());
    ASSERT_TRUE(client.valid);
    for (int i = 0; i < 20; ++i) {
      ASSERT_FALSE(client.call.AskForFailure(
          MakeCreate("left-" + std::to_string(i), 4096)));
    }
    EXPECT_EQ(client_->List(Listed::kUnsealed)->size(), 20u);
  }
  EXPECT_TRUE(
      Eventually([this] { return client_->List(Listed::kUnsealed)->empty(); }));
}

// --- blanks ---

// A session with a ring and some blanks.
class BlankHolder {
 public:
  BlankHolder(const std::string& socket, uint32_t count) : client_(socket) {
    if (!client_.valid || !client_.call.Ask(protocol::OpenRingT{})) return;
    if (client_.call.fds().size() != 2) return;
    ring_.emplace(UniqueFd(::dup(client_.call.fds()[0].get())),
                  UniqueFd(::dup(client_.call.fds()[1].get())));
    for (uint32_t asked = 0; asked < count; asked += kMaxBlanksPerRequest) {
      AskForSome();
    }
    // The last answer's descriptors are closed, here and in the store.
    (void)client_.call.Ask(protocol::BlanksT{});
  }

  bool valid() const { return !numbers_.empty(); }
  size_t size() const { return numbers_.size(); }
  RawClient& client() { return client_; }
  RawRing& ring() { return *ring_; }
  uint64_t number(size_t i) const { return numbers_.at(i); }
  Mapping& blank(size_t i) { return blanks_.at(i); }
  void Fill(size_t i, const std::string& id) {
    FillContent(id, {blank(i).data(), kBytes});
  }

 private:
  void AskForSome() {
    protocol::BlanksT request;
    request.size_bytes = kBytes;
    request.count = kMaxBlanksPerRequest;
    const auto reply = client_.call.Ask(std::move(request));
    if (!reply || reply->body.AsBlanksReply() == nullptr) return;
    const auto& numbers = reply->body.AsBlanksReply()->numbers;
    numbers_.insert(numbers_.end(), numbers.begin(), numbers.end());
    for (const UniqueFd& fd : client_.call.fds()) {
      blanks_.push_back(
          *Mapping::Map(fd.get(), kBytes, PROT_READ | PROT_WRITE));
    }
  }

  RawClient client_;
  std::optional<RawRing> ring_;
  std::vector<uint64_t> numbers_;
  std::vector<Mapping> blanks_;
};

TEST_F(HostileClientTest, ABlankIsSealedByItsOwnerOnceAndUnmapped) {
  BlankHolder owner(store_.socket(), 4);
  BlankHolder thief(store_.socket(), 1);
  ASSERT_TRUE(owner.valid() && thief.valid());
  owner.Fill(0, "object");
  const BlankRecord first = {owner.number(0), kBytes, kKeepIfInUse, 0};
  EXPECT_EQ(owner.ring().SealBlank("object", first), Failed(Code::kInUse));
  EXPECT_EQ(thief.ring().SealBlank("object", first), Failed(Code::kNotFound));
  EXPECT_EQ(owner.ring().SealBlank("object", {owner.number(1), kBytes + 1}),
            Failed(Code::kInvalidArgument));
  owner.blank(0) = Mapping();
  EXPECT_EQ(owner.ring().SealBlank("object", first), kRecordSealed);
  EXPECT_EQ(owner.ring().SealBlank("twice", first), Failed(Code::kNotFound));
  auto object = client_->Get(Id("object"));
  ASSERT_TRUE(object);
  EXPECT_EQ(CheckContent("object", object->bytes()), kBytes);
}

TEST_F(HostileClientTest, WhoWritesToABlankThatHeGaveBackHarmsNobody) {
  {
    BlankHolder liar(store_.socket(), 4);
    ASSERT_TRUE(liar.valid());
    protocol::DropBlanksT drop;
    for (size_t i = 0; i < 4; ++i) drop.numbers.push_back(liar.number(i));
    ASSERT_TRUE(liar.client().call.Ask(std::move(drop)));
    EXPECT_EQ(liar.ring().SealBlank("late", {liar.number(0), kBytes}),
              Failed(Code::kNotFound));
    for (int i = 0; i < 40; ++i) {
      const std::string id = "object-" + std::to_string(i);
      std::vector<std::byte> bytes(kBytes);
      FillContent(id, bytes);
      ASSERT_TRUE(client_->Put(Id(id), bytes));
      for (size_t b = 0; b < 4; ++b) {
        std::memset(liar.blank(b).data(), '!', kBytes);
      }
    }
    for (int i = 0; i < 40; ++i) {
      const std::string id = "object-" + std::to_string(i);
      auto object = client_->Get(Id(id));
      ASSERT_TRUE(object);
      EXPECT_EQ(CheckContent(id, object->bytes()), kBytes) << id;
      EXPECT_TRUE(client_->Delete(Id(id)));
    }
    EXPECT_GE(store_.GetStatus()["objects"]["deleted_in_use"], 4);
  }
  EXPECT_TRUE(Eventually([this] {
    const auto objects = store_.GetStatus()["objects"];
    return objects["deleted_in_use"] == 0 && objects["blanks"] == 0;
  }));
}

TEST_F(HostileClientTest, WhoKeepsBlanksThatWereCalledBackKeepsHisPartOnly) {
  BlankHolder hoarder(store_.socket(), 16);
  ASSERT_TRUE(hoarder.valid());
  ASSERT_TRUE(client_->Hold(Id("public")));
  const uint64_t capacity = store_.GetStatus()["capacity_bytes"];
  EXPECT_LE(store_.GetStatus()["objects"]["blank_bytes"], capacity / 8);
  // The others use the rest, held and all.
  std::vector<Object> held;
  std::vector<std::byte> bytes(kBytes);
  for (int i = 0; client_->Put(Id("held-" + std::to_string(i)), bytes,
                               {.timeout = Timeout(300)});
       ++i) {
    auto object = client_->Get(Id("held-" + std::to_string(i)));
    if (object) held.push_back(*std::move(object));  // Else it was evicted.
  }
  EXPECT_GT(held.size() * kBytes, capacity * 3 / 4);
  const auto recall = hoarder.client().session.Receive();
  ASSERT_TRUE(recall && recall->body.AsRecall() != nullptr);
  EXPECT_TRUE(recall->body.AsRecall()->blanks);
  held.clear();
  const auto left = client_->List();
  for (const ObjectStat& stat : *left) {
    if (stat.id.text() == "public") continue;
    const Status deleted = client_->Delete(stat.id);
    if (!deleted) {  // It was evicted before.
      EXPECT_EQ(deleted.error().code, Code::kNotFound);
    }
  }
}

}  // namespace
}  // namespace vitrine
