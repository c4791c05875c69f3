#include "store/server/server_requests.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <tuple>

#include "tests/store/server/server_peer_fixture.h"

namespace vitrine::store {
namespace {

constexpr Metric kLongText = {"text", MetricUnit::kNone, MetricKind::kInfo,
                              "A text."};

// A part of the status with a text, as long as this lives.
class LongStatus {
 public:
  LongStatus(Store* store, const std::string& text) : store_(store) {
    store_->facts().SetStatusSource("big", [text] {
      StatusSection section;
      section.values.push_back({&kLongText, text});
      return section;
    });
  }
  LongStatus(const LongStatus&) = delete;
  LongStatus& operator=(const LongStatus&) = delete;
  ~LongStatus() { store_->facts().SetStatusSource("big", nullptr); }

 private:
  Store* const store_;
};

class RequestHandlerTest : public ServerFixture {
 protected:
  RequestHandlerTest() : peers_of_test_(Connect()) {}
  void TearDown() override {
    peers_of_test_.reset();
    ServerFixture::TearDown();
  }

  RawPeer& call() { return peers_of_test_->call; }

  template <typename Request>
  static Request Numbered(uint64_t number) {
    Request request;
    request.number = number;
    return request;
  }
  template <typename Request>
  static Request Named(const std::string& id) {
    Request request;
    request.id = id;
    return request;
  }
  static protocol::SetHoldT HoldRequest(const std::string& id, bool hold) {
    protocol::SetHoldT request;
    request.id = id;
    request.hold = hold;
    return request;
  }
  static std::string ReadAll(int fd) {
    std::string data(1 << 20, '\0');
    const ssize_t size = ::pread(fd, data.data(), data.size(), 0);
    data.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return data;
  }
  // Creates an object; its descriptor is in call().fds.
  uint64_t Create(const std::string& id, uint64_t size_bytes) {
    const auto reply =
        call().Ask<protocol::CreateReplyT>(CreateRequest(id, size_bytes));
    EXPECT_TRUE(reply);
    return reply ? reply->number : 0;
  }
  bool Put(const std::string& id, const std::string& data) {
    return call().Ask<protocol::PutReplyT>(PutRequest(id, data)).has_value();
  }
  // Runs `body` in a child with the credentials of an ordinary user; true if
  // it says so.
  bool AsOrdinaryUser(const std::function<bool()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
      const bool dropped = ::setgid(65534) == 0 && ::setuid(65534) == 0;
      ::_exit(dropped && body() ? 0 : 1);
    }
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
  }
  void MakeDirSearchable() { ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0); }

  std::unique_ptr<Peers> peers_of_test_;
};

// --- blanks ---

class BlankRequestsTest : public ServerFixture {
 protected:
  BlankRequestsTest() : ServerFixture(/*strict=*/false), peers_(Connect()) {}
  void TearDown() override {
    peers_.reset();
    EXPECT_TRUE(Eventually([this] { return CountBlanks() == 0; }));
    ServerFixture::TearDown();
  }
  RawPeer& call() { return peers_->call; }
  bool OpenRing() {
    return call()
        .Ask<protocol::OpenRingReplyT>(protocol::OpenRingT{})
        .has_value();
  }
  static protocol::BlanksT Request(uint64_t size_bytes, uint32_t count,
                                   uint32_t mode = 0644) {
    protocol::BlanksT request;
    request.size_bytes = size_bytes;
    request.count = count;
    request.mode = mode;
    return request;
  }
  uint64_t CountBlanks() {
    return store_->facts().StatusJson()["objects"]["blanks"].get<uint64_t>();
  }

  std::unique_ptr<Peers> peers_;
};

TEST_F(BlankRequestsTest, TheyComeWithWritableDescriptors) {
  ASSERT_TRUE(OpenRing());
  const auto reply =
      call().Ask<protocol::BlanksReplyT>(Request(100'000, 4, 0600));
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->numbers.size(), 4u);
  ASSERT_EQ(call().fds.size(), 4u);
  for (const UniqueFd& fd : call().fds) {
    struct stat info = {};
    ASSERT_EQ(::fstat(fd.get(), &info), 0);
    EXPECT_EQ(info.st_size, 100'000);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    EXPECT_EQ(::pwrite(fd.get(), "x", 1, 99'999), 1);
  }
  EXPECT_EQ(CountBlanks(), 4u);
}

TEST_F(BlankRequestsTest, WithoutARingThereAreNone) {
  EXPECT_EQ(call().AskForFailure(Request(4096, 1)), Code::kUnsupported);
}

TEST_F(BlankRequestsTest, WhatMakesNoSenseIsRefused) {
  ASSERT_TRUE(OpenRing());
  for (const auto& [size, count, mode] :
       std::vector<std::tuple<uint64_t, uint32_t, uint32_t>>{
           {0, 1, 0644},
           {kMaxBlankBytes + 1, 1, 0644},
           {UINT64_MAX, 1, 0644},
           {4096, kMaxBlanksPerRequest + 1, 0644},
           {4096, UINT32_MAX, 0644},
           {4096, 1, 04644},
           {4096, 1, UINT32_MAX}}) {
    EXPECT_EQ(call().AskForFailure(Request(size, count, mode)),
              Code::kInvalidArgument);
  }
  EXPECT_TRUE(call().Ask<protocol::BlanksReplyT>(Request(0, 0)));
}

TEST_F(BlankRequestsTest, BeyondTheirPartThereAreFewer) {
  ASSERT_TRUE(OpenRing());
  const auto some =
      call().Ask<protocol::BlanksReplyT>(Request(kCapacity / 16, 3));
  ASSERT_TRUE(some);
  EXPECT_EQ(some->numbers.size(), 2u);
  const auto none =
      call().Ask<protocol::BlanksReplyT>(Request(kCapacity / 16, 3));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->numbers.empty());
}

TEST_F(BlankRequestsTest, TheyAreGivenBack) {
  ASSERT_TRUE(OpenRing());
  const auto reply = call().Ask<protocol::BlanksReplyT>(Request(4096, 3));
  ASSERT_TRUE(reply);
  call().fds.clear();
  protocol::DropBlanksT drop;
  drop.numbers = reply->numbers;
  drop.numbers.push_back(UINT64_MAX);
  drop.numbers.push_back(reply->numbers[0]);
  EXPECT_TRUE(call().Ask<protocol::DoneT>(std::move(drop)));
  EXPECT_TRUE(Eventually([this] { return CountBlanks() == 0; }));
  // What is left is the client's page and ring.
  EXPECT_TRUE(Eventually([this] {
    return store_->facts().StatusJson()["used_bytes"].get<uint64_t>() == 0;
  }));
}

TEST_F(BlankRequestsTest, OneIsSealedByMessage) {
  ASSERT_TRUE(OpenRing());
  const auto reply = call().Ask<protocol::BlanksReplyT>(Request(4096, 2));
  ASSERT_TRUE(reply);
  ASSERT_EQ(::pwrite(call().fds[0].get(), "text", 4, 0), 4);
  const auto seal = [&](uint64_t number, const std::string& id, uint64_t size) {
    protocol::SealBlankT request;
    request.number = number;
    request.id = id;
    request.size_bytes = size;
    request.keep_if_in_use = true;
    request.metadata.push_back(std::make_unique<protocol::MetadataEntryT>());
    request.metadata.back()->name = "key";
    return request;
  };
  EXPECT_EQ(call().AskForFailure(seal(reply->numbers[0], "a", 4)),
            Code::kInUse);
  call().fds.clear();
  EXPECT_EQ(call().AskForFailure(seal(reply->numbers[0], "a/b", 4)),
            Code::kInvalidArgument);
  EXPECT_EQ(call().AskForFailure(seal(UINT64_MAX, "a", 4)), Code::kNotFound);
  EXPECT_TRUE(call().Ask<protocol::DoneT>(seal(reply->numbers[0], "a", 4)));
  EXPECT_EQ(call().AskForFailure(seal(reply->numbers[0], "b", 4)),
            Code::kNotFound);
  const auto object = store_->sealed().FindSealed(Id("a"));
  ASSERT_TRUE(object);
  EXPECT_EQ(store_->objects().Info(*object).size_bytes, 4u);
  EXPECT_EQ(store_->objects().GetMetadata(*object)->size(), 1u);
  EXPECT_EQ(call().AskForFailure(seal(reply->numbers[1], "c", 5000)),
            Code::kInvalidArgument);
}

TEST_F(BlankRequestsTest, APeerThatGoesMeanwhileLeavesNone) {
  ASSERT_TRUE(OpenRing());
  for (int i = 0; i < 20; ++i) {
    RawPeer hasty(path_);
    ASSERT_TRUE(JoinSession(&hasty, peers_->token));
    ASSERT_TRUE(hasty.Send(Request(uint64_t{1} << 20, 4)));
  }
  protocol::DropBlanksT nothing;
  EXPECT_TRUE(call().Ask<protocol::DoneT>(std::move(nothing)));
  // Some answers were sent before their peers were seen to be gone.
  peers_.reset();
  EXPECT_TRUE(Eventually(
      [this] { return store_->facts().GetUsage().used_bytes == 0; }));
}

TEST_F(BlankRequestsTest, WhoeverHasSomeIsAskedForThem) {
  auto without = Connect();
  ASSERT_TRUE(OpenRing());
  ASSERT_TRUE(call().Ask<protocol::BlanksReplyT>(Request(4096, 1)));
  store_->events().clients().RecallBlanks();
  const auto recall = peers_->session.ReceiveA<protocol::RecallT>();
  ASSERT_TRUE(recall);
  EXPECT_TRUE(recall->blanks);
  EXPECT_TRUE(recall->segments.empty());
  EXPECT_FALSE(without->session.Receive(std::chrono::milliseconds(50)));
}

// --- create ---

TEST_F(RequestHandlerTest, CreateRefusesBadIdsAndBadMetadata) {
  for (const std::string id : {"", ".", "..", "a/b"}) {
    EXPECT_EQ(call().AskForFailure(CreateRequest(id, 1)),
              Code::kInvalidArgument);
  }
  EXPECT_EQ(call().AskForFailure(CreateRequest(std::string(256, 'x'), 1)),
            Code::kInvalidArgument);
  for (const std::string name : {"", "vitrine.size"}) {
    auto request = CreateRequest("a", 1);
    request.metadata.push_back(std::make_unique<protocol::MetadataEntryT>());
    request.metadata.back()->name = name;
    EXPECT_EQ(call().AskForFailure(std::move(request)), Code::kInvalidArgument);
  }
  auto twice = CreateRequest("a", 1);
  for (int i = 0; i < 2; ++i) {
    twice.metadata.push_back(std::make_unique<protocol::MetadataEntryT>());
    twice.metadata.back()->name = "same";
  }
  EXPECT_EQ(call().AskForFailure(std::move(twice)), Code::kInvalidArgument);
  EXPECT_TRUE(store_->objects().List(ObjectState::kUnsealed).empty());
}

TEST_F(RequestHandlerTest, CreateBeyondTheCapacityIsTooLarge) {
  EXPECT_EQ(call().AskForFailure(CreateRequest("a", kCapacity + 1)),
            Code::kTooLarge);
  EXPECT_EQ(call().AskForFailure(CreateRequest("a", UINT64_MAX)),
            Code::kTooLarge);
}

TEST_F(RequestHandlerTest, CreateWithoutSpaceFailsInTime) {
  Create("hog", kCapacity - (1 << 20));
  EXPECT_EQ(call().AskForFailure(CreateRequest("b", 2 << 20)),
            Code::kOutOfMemory);
  auto patient = CreateRequest("b", 2 << 20);
  patient.timeout_ms = 50;
  EXPECT_EQ(call().AskForFailure(std::move(patient)), Code::kOutOfMemory);
}

TEST_F(RequestHandlerTest, CreateThatWaitsGetsTheSpaceThatIsAborted) {
  const uint64_t hog = Create("hog", kCapacity - (1 << 20));
  call().fds.clear();
  RawPeer waiting(path_);
  ASSERT_TRUE(JoinSession(&waiting, peers_of_test_->token));
  auto create = CreateRequest("late", 2 << 20);
  create.timeout_ms = -1;
  ASSERT_TRUE(waiting.Send(std::move(create)));
  EXPECT_FALSE(waiting.Receive(std::chrono::milliseconds(50)));
  ASSERT_TRUE(call().Ask<protocol::DoneT>(Numbered<protocol::AbortT>(hog)));
  EXPECT_TRUE(waiting.ReceiveA<protocol::CreateReplyT>());
  EXPECT_EQ(waiting.fds.size(), 1U);
}

TEST_F(RequestHandlerTest, IdThatIsTakenIsRefused) {
  Create("a", 10);
  EXPECT_EQ(call().AskForFailure(CreateRequest("a", 10)), Code::kAlreadyExists);
  SealDirectly("b");
  EXPECT_EQ(call().AskForFailure(PutRequest("b", "x")), Code::kAlreadyExists);
}

TEST_F(RequestHandlerTest, CreatedObjectBelongsToThePeerAndHasItsSize) {
  auto request = CreateRequest("a", 4 << 20);
  request.mode = 07640;
  const auto reply = call().Ask<protocol::CreateReplyT>(std::move(request));
  ASSERT_TRUE(reply);
  ASSERT_EQ(call().fds.size(), 1U);
  struct stat status {};
  ASSERT_EQ(::fstat(call().fds[0].get(), &status), 0);
  EXPECT_EQ(status.st_size, 4 << 20);
  EXPECT_EQ(::fcntl(call().fds[0].get(), F_GETFL) & O_ACCMODE, O_RDWR);
  const auto stat =
      call().Ask<protocol::StatReplyT>(Named<protocol::StatT>("a"));
  ASSERT_TRUE(stat);
  EXPECT_FALSE(stat->info->sealed);
  EXPECT_EQ(stat->info->mode, 0640U);
  EXPECT_EQ(stat->info->uid, ::geteuid());
  EXPECT_EQ(stat->info->creator_pid, ::getpid());
  EXPECT_EQ(stat->info->number, reply->number);
}

TEST_F(RequestHandlerTest, CreateSaysWhetherThePagesAreThere) {
  const auto made =
      call().Ask<protocol::CreateReplyT>(CreateRequest("a", 1 << 20));
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->recycled);
  call().fds.clear();
  ASSERT_TRUE(
      call().Ask<protocol::DoneT>(Numbered<protocol::SealT>(made->number)));
  ASSERT_TRUE(
      store_->sealed().Delete(*store_->sealed().FindSealed(Id("a")), {}));
  const auto again =
      call().Ask<protocol::CreateReplyT>(CreateRequest("b", 1 << 20));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->recycled);
}

// --- seal, abort ---

TEST_F(RequestHandlerTest, ForgedNumbersSealAndAbortNothing) {
  const ObjectRef foreign = CreateDirectly("foreign");
  auto others = Connect();
  const auto other =
      others->call.Ask<protocol::CreateReplyT>(CreateRequest("theirs", 10));
  ASSERT_TRUE(other);
  for (const uint64_t number :
       {uint64_t{0}, UINT64_MAX, store_->objects().Info(foreign).number,
        other->number}) {
    EXPECT_EQ(call().AskForFailure(Numbered<protocol::SealT>(number)),
              Code::kNotFound);
    EXPECT_EQ(call().AskForFailure(Numbered<protocol::AbortT>(number)),
              Code::kNotFound);
  }
  EXPECT_TRUE(store_->unsealed().FindUnsealed(Id("theirs")));
  ASSERT_TRUE(store_->unsealed().Abort(foreign));
}

TEST_F(RequestHandlerTest, SealWhileHeldWritableFailsAndMayBeTriedAgain) {
  const uint64_t number = Create("a", 10);
  EXPECT_EQ(call().AskForFailure(Numbered<protocol::SealT>(number)),
            Code::kInUse);
  call().fds.clear();
  EXPECT_TRUE(call().Ask<protocol::DoneT>(Numbered<protocol::SealT>(number)));
  EXPECT_TRUE(store_->sealed().FindSealed(Id("a")));
  EXPECT_EQ(call().AskForFailure(Numbered<protocol::SealT>(number)),
            Code::kNotFound);
}

TEST_F(RequestHandlerTest, SealOfWhatSomebodyElseAbortedIsGone) {
  const uint64_t number = Create("a", 10);
  ASSERT_TRUE(
      store_->unsealed().Abort(*store_->unsealed().FindUnsealed(Id("a"))));
  EXPECT_EQ(call().AskForFailure(Numbered<protocol::SealT>(number)),
            Code::kGone);
}

TEST_F(RequestHandlerTest, AbortTwiceIsNotFound) {
  const uint64_t number = Create("a", 4 << 20);
  EXPECT_TRUE(call().Ask<protocol::DoneT>(Numbered<protocol::AbortT>(number)));
  EXPECT_EQ(call().AskForFailure(Numbered<protocol::AbortT>(number)),
            Code::kNotFound);
  EXPECT_FALSE(store_->unsealed().FindUnsealed(Id("a")));
}

TEST_F(RequestHandlerTest, LargeObjectIsSealedToo) {
  const uint64_t number = Create("a", 16 << 20);
  ASSERT_EQ(::pwrite(call().fds.at(0).get(), "hello", 5, 0), 5);
  call().fds.clear();
  EXPECT_TRUE(call().Ask<protocol::DoneT>(Numbered<protocol::SealT>(number)));
  const auto open =
      call().Ask<protocol::OpenReplyT>(Named<protocol::OpenT>("a"));
  ASSERT_TRUE(open);
  EXPECT_EQ(open->size_bytes, 16U << 20);
  EXPECT_EQ(ReadAll(call().fds.at(0).get()).substr(0, 5), "hello");
}

TEST_F(RequestHandlerTest, ByNameOnlyTheOwnerSealsAndAborts) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to change users";
  MakeDirSearchable();
  CreateDirectly("roots");
  CreateDirectly("theirs", 65534);
  CreateDirectly("theirs-too", 65534);
  EXPECT_TRUE(AsOrdinaryUser([this] {
    auto user = Connect();
    return user->call.AskForFailure(Named<protocol::SealByNameT>("roots")) ==
               Code::kNotPermitted &&
           user->call.AskForFailure(Named<protocol::AbortByNameT>("roots")) ==
               Code::kNotPermitted &&
           user->call.AskForFailure(Named<protocol::SealByNameT>("none")) ==
               Code::kNotFound &&
           user->call.Ask<protocol::DoneT>(
               Named<protocol::SealByNameT>("theirs")) &&
           user->call.Ask<protocol::DoneT>(
               Named<protocol::AbortByNameT>("theirs-too"));
  }));
  EXPECT_TRUE(store_->sealed().FindSealed(Id("theirs")));
  EXPECT_TRUE(
      call().Ask<protocol::DoneT>(Named<protocol::AbortByNameT>("roots")));
  EXPECT_TRUE(store_->objects().List(ObjectState::kUnsealed).empty());
}

// --- put ---

TEST_F(RequestHandlerTest, PutThatIsTooLongForAMessageIsRefused) {
  EXPECT_FALSE(Put("a", std::string(kMaxInlinePutBytes + 1, 'x')));
  EXPECT_EQ(call().failure, Code::kTooLarge);
  EXPECT_FALSE(store_->unsealed().FindUnsealed(Id("a")));
}

TEST_F(RequestHandlerTest, PutOfAnySizeIsReadBack) {
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{4096}, size_t{4097}, kMaxInlinePutBytes}) {
    const std::string id = "put-" + std::to_string(size);
    const std::string data(size, static_cast<char>('a' + size % 26));
    ASSERT_TRUE(Put(id, data));
    const auto open =
        call().Ask<protocol::OpenReplyT>(Named<protocol::OpenT>(id));
    ASSERT_TRUE(open);
    EXPECT_EQ(open->size_bytes, size);
    ASSERT_EQ(call().fds.size(), 1U);
    EXPECT_EQ(ReadAll(call().fds[0].get()), data);
    EXPECT_EQ(::fcntl(call().fds[0].get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  }
}

// --- reading ---

TEST_F(RequestHandlerTest, ModeBitsDecideWhoReadsAndOwnersWhoDeletes) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to change users";
  MakeDirSearchable();
  SealDirectly("open", 0644);
  SealDirectly("secret", 0600);
  SealDirectly("theirs", 0600, 65534);
  EXPECT_TRUE(AsOrdinaryUser([this] {
    auto user = Connect();
    RawPeer& peer = user->call;
    protocol::DeleteT doomed;
    doomed.ids = {"open", "theirs", "none", "a/b"};
    const bool read =
        peer.Ask<protocol::OpenReplyT>(Named<protocol::OpenT>("open")) &&
        peer.Ask<protocol::OpenReplyT>(Named<protocol::OpenT>("theirs")) &&
        peer.AskForFailure(Named<protocol::OpenT>("secret")) ==
            Code::kPermissionDenied &&
        peer.AskForFailure(Named<protocol::GetMetadataT>("secret")) ==
            Code::kPermissionDenied &&
        peer.Ask<protocol::StatReplyT>(Named<protocol::StatT>("secret")) &&
        peer.AskForFailure(HoldRequest("open", true)) == Code::kNotPermitted;
    peer.fds.clear();
    const auto reply = peer.Ask<protocol::DeleteReplyT>(std::move(doomed));
    return read && reply &&
           reply->codes == std::vector<uint8_t>{
                               static_cast<uint8_t>(Code::kNotPermitted), 0,
                               static_cast<uint8_t>(Code::kNotFound),
                               static_cast<uint8_t>(Code::kInvalidArgument)};
  }));
}

TEST_F(RequestHandlerTest, UnsealedAndUnknownObjectsAreNotOpened) {
  Create("a", 10);
  EXPECT_EQ(call().AskForFailure(Named<protocol::OpenT>("a")),
            Code::kNotSealed);
  EXPECT_EQ(call().AskForFailure(Named<protocol::OpenT>("b")), Code::kNotFound);
  EXPECT_EQ(call().AskForFailure(Named<protocol::StatT>("b")), Code::kNotFound);
  EXPECT_EQ(call().AskForFailure(Named<protocol::GetMetadataT>("b")),
            Code::kNotFound);
}

TEST_F(RequestHandlerTest, MetadataComesBackAsItWent) {
  auto request = PutRequest("a", "data");
  for (const std::string name : {"empty", "binary"}) {
    request.metadata.push_back(std::make_unique<protocol::MetadataEntryT>());
    request.metadata.back()->name = name;
  }
  request.metadata[1]->value = {0, 255, 0, 1};
  ASSERT_TRUE(call().Ask<protocol::PutReplyT>(std::move(request)));
  const auto reply = call().Ask<protocol::GetMetadataReplyT>(
      Named<protocol::GetMetadataT>("a"));
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->metadata.size(), 2U);
  EXPECT_EQ(reply->metadata[0]->name, "binary");
  EXPECT_EQ(reply->metadata[0]->value, (std::vector<uint8_t>{0, 255, 0, 1}));
  EXPECT_EQ(reply->metadata[1]->name, "empty");
  EXPECT_TRUE(reply->metadata[1]->value.empty());
}

TEST_F(RequestHandlerTest, AnswerThatFitsNoMessageIsAnError) {
  NewObject options;
  const ObjectRef object = *store_->unsealed().Create(Id("a"), options);
  for (int i = 0; i < 8000; ++i) {
    ASSERT_TRUE(store_->unsealed().SetMetadata(object, std::to_string(i), ""));
  }
  EXPECT_EQ(call().AskForFailure(Named<protocol::GetMetadataT>("a")),
            Code::kTooLarge);
  EXPECT_TRUE(Put("b", "still here"));
  ASSERT_TRUE(store_->unsealed().Abort(object));
}

TEST_F(RequestHandlerTest, WhatIsInMemoryIsWantedForNothing) {
  ASSERT_TRUE(Put("a", "data"));
  EXPECT_TRUE(call().Ask<protocol::DoneT>(Named<protocol::WantT>("a")));
  EXPECT_EQ(call().AskForFailure(Named<protocol::WantT>("b")), Code::kNotFound);
  EXPECT_EQ(call().AskForFailure(Named<protocol::WantT>("not/an/id")),
            Code::kInvalidArgument);
}

TEST_F(RequestHandlerTest, StatKnowsUseAndHold) {
  ASSERT_TRUE(Put("a", "data"));
  ASSERT_TRUE(call().Ask<protocol::DoneT>(HoldRequest("a", true)));
  auto stat = call().Ask<protocol::StatReplyT>(Named<protocol::StatT>("a"));
  ASSERT_TRUE(stat);
  EXPECT_TRUE(stat->info->sealed);
  EXPECT_TRUE(stat->info->hold);
  EXPECT_FALSE(stat->info->in_use);
  EXPECT_EQ(stat->info->tier, "memory");
  ASSERT_TRUE(call().Ask<protocol::OpenReplyT>(Named<protocol::OpenT>("a")));
  const auto kept = std::move(call().fds);
  stat = call().Ask<protocol::StatReplyT>(Named<protocol::StatT>("a"));
  ASSERT_TRUE(stat);
  EXPECT_TRUE(stat->info->in_use);
  const auto list = call().Ask<protocol::ListReplyT>(protocol::ListT());
  ASSERT_TRUE(list);
  ASSERT_EQ(list->objects.size(), 1U);
  EXPECT_TRUE(list->objects[0]->in_use);
  ASSERT_TRUE(call().Ask<protocol::DoneT>(HoldRequest("a", false)));
  EXPECT_EQ(call().AskForFailure(HoldRequest("b", true)), Code::kNotFound);
}

// --- many objects ---

TEST_F(RequestHandlerTest, DeleteOfTooManyIsRefusedAndTwiceIsNotFound) {
  protocol::DeleteT many;
  many.ids.assign(kMaxIdsPerRequest + 1, "x");
  EXPECT_EQ(call().AskForFailure(std::move(many)), Code::kInvalidArgument);
  ASSERT_TRUE(Put("a", "data"));
  protocol::DeleteT twice;
  twice.ids = {"a", "a"};
  const auto reply = call().Ask<protocol::DeleteReplyT>(std::move(twice));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->codes,
            (std::vector<uint8_t>{0, static_cast<uint8_t>(Code::kNotFound)}));
}

TEST_F(RequestHandlerTest, ListGoesOnWhereItStoppedWhateverHappensMeanwhile) {
  constexpr size_t kCount = 1000;
  std::vector<ObjectRef> objects;
  for (size_t i = 0; i < kCount; ++i) {
    // The greatest ids there are still fit a page.
    std::string id = std::to_string(i);
    objects.push_back(SealDirectly(id + std::string(255 - id.size(), 'x')));
  }
  size_t found = 0;
  protocol::ListT request;
  uint64_t last = 0;
  for (bool done = false; !done;) {
    const auto page = call().Ask<protocol::ListReplyT>(request);
    ASSERT_TRUE(page);
    for (const auto& object : page->objects) {
      EXPECT_GT(object->number, last);
      last = object->number;
    }
    found += page->objects.size();
    done = page->done;
    request.after = page->next_after;
    if (objects.size() == kCount) {  // After the first page.
      ASSERT_FALSE(done);
      ASSERT_TRUE(store_->sealed().Delete(objects.back(), {}));
      objects.pop_back();
    }
  }
  EXPECT_EQ(found, kCount - 1);
}

TEST_F(RequestHandlerTest, ListFromAnywhereAndInAnyStepsIsTheSame) {
  std::vector<uint64_t> numbers;
  for (int i = 0; i < 20; ++i) {
    numbers.push_back(
        store_->objects().Info(SealDirectly(std::to_string(i))).number);
  }
  Create("unsealed", 10);
  protocol::ListT request;
  request.limit = 3;
  request.after = numbers[4];
  std::vector<uint64_t> found;
  for (bool done = false; !done;) {
    const auto page = call().Ask<protocol::ListReplyT>(request);
    ASSERT_TRUE(page);
    EXPECT_LE(page->objects.size(), 3U);
    for (const auto& object : page->objects) found.push_back(object->number);
    done = page->done;
    request.after = page->next_after;
    // Another request in between loses nothing.
    ASSERT_TRUE(call().Ask<protocol::StatReplyT>(Named<protocol::StatT>("0")));
  }
  EXPECT_EQ(found, std::vector<uint64_t>(numbers.begin() + 5, numbers.end()));
  request = {};
  request.unsealed = true;
  const auto unsealed = call().Ask<protocol::ListReplyT>(request);
  ASSERT_TRUE(unsealed);
  ASSERT_EQ(unsealed->objects.size(), 1U);
  EXPECT_EQ(unsealed->objects[0]->id, "unsealed");
  EXPECT_TRUE(unsealed->done);
}

TEST_F(RequestHandlerTest, EvictSaysHowMuchWent) {
  ASSERT_TRUE(Put("a", std::string(4096, 'x')));
  ASSERT_TRUE(Put("b", std::string(4096, 'x')));
  protocol::EvictT all;
  all.bytes = UINT64_MAX;
  const auto reply = call().Ask<protocol::EvictReplyT>(std::move(all));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->bytes, 8192U);
  EXPECT_FALSE(store_->sealed().FindSealed(Id("a")));
}

TEST_F(RequestHandlerTest, StatusKnowsTheServer) {
  auto reply = call().Ask<protocol::StatusReplyT>(protocol::GetStatusT());
  ASSERT_TRUE(reply);
  EXPECT_FALSE(reply->more);
  auto status = nlohmann::json::parse(reply->json);
  EXPECT_EQ(status.at("server").at("sessions"), 1);
  EXPECT_EQ(status.at("server").at("requests").at("GetStatus"), 1);
}

TEST_F(RequestHandlerTest, ALongStatusComesWholeInParts) {
  const std::string text(5 * kMaxMessageBytes, 'x');
  const LongStatus big(store_.get(), text);
  protocol::GetStatusT request;
  request.in_parts = true;
  ASSERT_TRUE(call().Send(std::move(request)));
  std::string json;
  for (bool more = true; more;) {
    const auto part = call().ReceiveA<protocol::StatusReplyT>();
    ASSERT_TRUE(part);
    EXPECT_FALSE(part->json.empty());
    json += part->json;
    more = part->more;
  }
  const auto status = nlohmann::json::parse(json);
  EXPECT_EQ(status.at("big").at("text"), text);
  EXPECT_TRUE(status.contains("server"));
  EXPECT_TRUE(status.contains("clients"));
  EXPECT_TRUE(call().Ask<protocol::EvictReplyT>(protocol::EvictT()));
}

TEST_F(RequestHandlerTest, ALongStatusIsRefusedToWhoTakesNoParts) {
  const LongStatus big(store_.get(), std::string(kMaxMessageBytes, 'x'));
  EXPECT_EQ(call().AskForFailure(protocol::GetStatusT()), Code::kTooLarge);
  EXPECT_TRUE(call().Ask<protocol::EvictReplyT>(protocol::EvictT()));
}

TEST_F(RequestHandlerTest, ManyPeersAtOnceGetTheirOwnAnswers) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 100;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      auto peers = Connect();
      for (int round = 0; round < kRounds; ++round) {
        const std::string id =
            std::to_string(thread) + "-" + std::to_string(round);
        ASSERT_TRUE(peers->call.Ask<protocol::PutReplyT>(PutRequest(id, id)));
        ASSERT_TRUE(
            peers->call.Ask<protocol::OpenReplyT>(Named<protocol::OpenT>(id)));
        EXPECT_EQ(ReadAll(peers->call.fds.at(0).get()), id);
        peers->call.fds.clear();
        protocol::DeleteT request;
        request.ids = {id};
        ASSERT_TRUE(
            peers->call.Ask<protocol::DeleteReplyT>(std::move(request)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(store_->objects().List(ObjectState::kSealed).empty());
}

}  // namespace
}  // namespace vitrine::store
