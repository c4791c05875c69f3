// What a store that is broken, or another program altogether, can do to a
// client: nothing but to get errors out of it.
#include <gtest/gtest.h>
#include <vitrine/client.h>

#include <chrono>
#include <thread>
#include <vector>

#include "schema/base/futex.h"
#include "tests/client/fake_store.h"
#include "tests/client/test_store.h"

namespace vitrine {
namespace {

using Answer = FakeStore::Answer;

class HostileStoreTest : public testing::Test {
 protected:
  Code ConnectError(int timeout_ms = 200) {
    auto client = Client::Connect(store_.Options(timeout_ms));
    return client ? Code{} : client.error().code;
  }
  std::string ConnectMessage() {
    auto client = Client::Connect(store_.Options(200));
    return client ? "" : client.error().message;
  }
  Client Connect() {
    auto client = Client::Connect(store_.Options());
    if (!client) throw std::runtime_error(client.error().ToString());
    return *client;
  }
  // What the client writes, as the store sees it.
  const ClientPage* Page() {
    auto mapping =
        Mapping::Map(store_.page_fd(), sizeof(ClientPage), PROT_READ);
    EXPECT_TRUE(mapping);
    page_ = std::move(*mapping);
    return reinterpret_cast<const ClientPage*>(page_.data());
  }

  FakeStore store_;
  Mapping page_;
};

TEST_F(HostileStoreTest, AnotherVersionIsSaidAtOnce) {
  store_.version = kProtocolVersion + 1;
  EXPECT_EQ(ConnectError(60000), Code::kVersionMismatch);
}

TEST_F(HostileStoreTest, ARefusedVersionIsSaidAtOnce) {
  protocol::FailureT failure;
  failure.code = static_cast<uint8_t>(Code::kVersionMismatch);
  failure.message = "too new";
  store_.SetWelcome([&] { return Answer{FakeStore::Say(failure)}; });
  auto client = Client::Connect(store_.Options(60000));
  EXPECT_EQ(CodeOf(client), Code::kVersionMismatch);
  EXPECT_NE(client.error().message.find("too new"), std::string::npos);
}

TEST_F(HostileStoreTest, AWelcomeWithoutSenseIsRefused) {
  store_.token_bytes = 3;
  EXPECT_EQ(ConnectError(), Code::kUnavailable);
  store_.token_bytes = kSessionTokenBytes;
  store_.page_bytes = 4097;
  EXPECT_EQ(ConnectError(), Code::kUnavailable);
  store_.page_bytes = 0;
  EXPECT_EQ(ConnectError(), Code::kUnavailable);
  store_.page_bytes = 4096;
  EXPECT_EQ(ConnectError(), Code{});
}

TEST_F(HostileStoreTest, AWelcomeWithoutDescriptorsIsRefused) {
  store_.SetWelcome([&] {
    Answer answer = store_.Welcome();
    answer.fds.pop_back();
    return answer;
  });
  EXPECT_EQ(ConnectError(), Code::kUnavailable);
}

TEST_F(HostileStoreTest, AShortPageIsRefused) {
  ASSERT_EQ(::ftruncate(store_.page_fd(), sizeof(ClientPage) - 1), 0);
  EXPECT_NE(ConnectMessage().find("page"), std::string::npos);
}

TEST_F(HostileStoreTest, ABrokenIndexIsRefused) {
  store_.index().header().bucket_limit = 1000000;
  EXPECT_NE(ConnectMessage().find("index"), std::string::npos);
}

TEST_F(HostileStoreTest, GarbageAndHangUpsInsteadOfAWelcome) {
  store_.SetWelcome([] { return Answer{.garbage = true}; });
  EXPECT_EQ(ConnectError(), Code::kUnavailable);
  store_.SetWelcome([] { return Answer{.hang_up = true}; });
  EXPECT_EQ(ConnectError(), Code::kUnavailable);
  store_.SetWelcome([] { return Answer{FakeStore::Say(protocol::DoneT())}; });
  EXPECT_EQ(ConnectError(), Code::kUnavailable);
}

TEST_F(HostileStoreTest, GarbageEndsTheSessionAndItIsMadeAnew) {
  store_.SetAnswer([](const auto&) { return Answer{.garbage = true}; });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Stat(Id("a"))), Code::kCorruption);
  EXPECT_TRUE(Eventually([&] { return store_.sessions() >= 2; }));
}

TEST_F(HostileStoreTest, TheAnswerToAnotherQuestionEndsTheSession) {
  store_.SetAnswer([](const auto&) {
    return Answer{FakeStore::Say(protocol::EvictReplyT())};
  });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Stat(Id("a"))), Code::kCorruption);
  EXPECT_TRUE(Eventually([&] { return store_.sessions() >= 2; }));
}

TEST_F(HostileStoreTest, SomethingUnaskedEndsTheSession) {
  Client client = Connect();
  store_.SaySoon(FakeStore::Say(protocol::DoneT()));
  EXPECT_TRUE(Eventually([&] { return store_.sessions() >= 2; }));
}

TEST_F(HostileStoreTest, UnknownErrorCodesAreCorruption) {
  protocol::FailureT failure;
  failure.code = 200;
  store_.SetAnswer(
      [&](const auto&) { return Answer{FakeStore::Say(failure)}; });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Stat(Id("a"))), Code::kCorruption);
}

TEST_F(HostileStoreTest, ResultsForOtherIdsAreRefused) {
  store_.SetAnswer([](const protocol::RequestT& request) {
    if (request.body.AsDelete() != nullptr) {
      return Answer{FakeStore::Say(protocol::DeleteReplyT())};
    }
    return Answer{FakeStore::Say(protocol::WaitReplyT())};
  });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Delete(Id("a"))), Code::kCorruption);
  EXPECT_EQ(CodeOf(client.GetMany(std::vector{Id("a")}, {.timeout = kNever})),
            Code::kCorruption);
}

protocol::GetMetadataReplyT MetadataReply(
    const std::vector<std::string>& names) {
  protocol::GetMetadataReplyT reply;
  for (const std::string& name : names) {
    reply.metadata.push_back(std::make_unique<protocol::MetadataEntryT>());
    reply.metadata.back()->name = name;
  }
  return reply;
}

TEST_F(HostileStoreTest, MetadataThatNoObjectCanHaveIsRefused) {
  std::vector<std::string> names;
  store_.SetAnswer([&](const auto&) {
    return Answer{FakeStore::Say(MetadataReply(names))};
  });
  Client client = Connect();
  names = {"a", "b"};
  EXPECT_EQ(CodeOf(client.GetMetadata(Id("a"))), Code{});
  names = {"a", "a"};
  EXPECT_EQ(CodeOf(client.GetMetadata(Id("a"))), Code::kCorruption);
  names = {"vitrine.size"};
  EXPECT_EQ(CodeOf(client.GetMetadata(Id("a"))), Code::kCorruption);
}

TEST_F(HostileStoreTest, AnIndexThatMakesNoSenseEndsTheWait) {
  Client client = Connect();
  std::thread breaker([&] {
    IndexBucket& bucket = store_.index().bucket_of("a");
    const auto* page = Page();
    Eventually([&] { return page->awaited_groups != 0; });
    bucket.next = IndexFile::kBuckets + IndexFile::kOverflow;
    bucket.version += 2;
    WakeFutex(&bucket.version);
  });
  EXPECT_EQ(CodeOf(client.Get(Id("a"), kNever)), Code::kCorruption);
  breaker.join();
}

TEST_F(HostileStoreTest, AListWithoutEndEnds) {
  store_.SetAnswer([](const auto&) {
    return Answer{FakeStore::Say(protocol::ListReplyT())};
  });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.List()), Code::kCorruption);
}

protocol::ResponseT StatusPart(const std::string& json, bool more) {
  protocol::StatusReplyT part;
  part.json = json;
  part.more = more;
  return FakeStore::Say(std::move(part));
}

TEST_F(HostileStoreTest, AStatusInPartsIsPutTogether) {
  store_.SetAnswer([](const protocol::RequestT& request) {
    EXPECT_TRUE(request.body.AsGetStatus()->in_parts);
    return Answer{.response = StatusPart("{\"a\"", true),
                  .more = {StatusPart(":", true), StatusPart("1}", false)}};
  });
  Client client = Connect();
  for (int i = 0; i < 3; ++i) {
    auto status = client.GetStatus();
    ASSERT_TRUE(status) << status.error().ToString();
    EXPECT_EQ(*status, "{\"a\":1}");
  }
}

TEST_F(HostileStoreTest, AStatusWithoutEndEnds) {
  store_.SetAnswer([](const auto&) {
    return Answer{.response = StatusPart("{", true),
                  .more = {StatusPart("", true), StatusPart("}", false)}};
  });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.GetStatus()), Code::kCorruption);
  // What is left of it is nobody's answer.
  EXPECT_EQ(CodeOf(client.GetStatus()), Code::kCorruption);
}

TEST_F(HostileStoreTest, AStatusThatBreaksOffIsNoStatus) {
  store_.SetAnswer([](const auto&) {
    return Answer{.response = StatusPart("{", true),
                  .more = {FakeStore::Say(protocol::DoneT())}};
  });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.GetStatus()), Code::kCorruption);
  EXPECT_TRUE(Eventually([&] { return store_.sessions() >= 2; }));
}

TEST_F(HostileStoreTest, ASegmentShorterThanTheObjectIsRefused) {
  store_.WriteSegment(7, "short");
  store_.index().Publish(1, "a", 7, 6);
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Get(Id("a"))), Code::kCorruption);
  store_.index().entry(1).offset = ~uint64_t{0};
  EXPECT_EQ(CodeOf(client.Get(Id("a"))), Code::kCorruption);
}

TEST_F(HostileStoreTest, ASecondObjectBeyondAMappedSegmentIsRefused) {
  store_.WriteSegment(7, "hello");
  store_.index().Publish(1, "a", 7, 5);
  store_.index().Publish(2, "b", 7, 100000);
  Client client = Connect();
  EXPECT_TRUE(client.Get(Id("a")));
  EXPECT_EQ(CodeOf(client.Get(Id("b"))), Code::kCorruption);
}

TEST_F(HostileStoreTest, ASegmentThatIsALinkIsNotFollowed) {
  ASSERT_EQ(::symlink("/etc/passwd",
                      (store_.segments() + "/0000000000000007").c_str()),
            0);
  store_.index().Publish(1, "a", 7, 5);
  protocol::FailureT failure;
  failure.code = static_cast<uint8_t>(Code::kPermissionDenied);
  store_.SetAnswer(
      [&](const auto&) { return Answer{FakeStore::Say(failure)}; });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Get(Id("a"))), Code::kPermissionDenied);
}

TEST_F(HostileStoreTest, ALoopInTheIndexIsCorruption) {
  Client client = Connect();
  store_.index().Publish(1, "a", 7, 6);
  store_.index().bucket_of("b").next = IndexFile::kBuckets;
  store_.index().bucket(IndexFile::kBuckets).next = IndexFile::kBuckets;
  EXPECT_EQ(CodeOf(client.Get(Id("b"))), Code::kCorruption);
}

TEST_F(HostileStoreTest, AnObjectStuckBetweenStatesIsATimeout) {
  Client client = Connect();
  store_.index().Publish(1, "a", 7, 6);
  store_.index().word(1) = MakeSlotWord(1, SlotState::kEvicting);
  EXPECT_EQ(CodeOf(client.Get(Id("a"))), Code::kTimeout);
}

// A double of a store that keeps an object elsewhere.
TEST_F(HostileStoreTest, WhatIsElsewhereIsWantedByOneMessage) {
  store_.WriteSegment(7, "hello!");
  store_.index().Publish(1, "a", 7, 6, kSlotReadableByAll);
  store_.index().word(1) = MakeSlotWord(1, SlotState::kElsewhere);
  std::atomic<int> wants = 0;
  store_.SetAnswer([&](const protocol::RequestT& request) {
    const protocol::WantT* const want = request.body.AsWant();
    if (want == nullptr || want->id != "a") return Answer{.hang_up = true};
    ++wants;
    store_.index().word(1) = MakeSlotWord(2, SlotState::kSealed);
    return Answer{FakeStore::Say(protocol::DoneT())};
  });
  Client client = Connect();
  EXPECT_TRUE(*client.Contains(Id("a")));
  EXPECT_EQ(wants, 0);
  const auto object = client.Get(Id("a"), kNever);
  ASSERT_TRUE(object) << object.error().ToString();
  EXPECT_EQ(object->size_bytes(), 6u);
  EXPECT_EQ(wants, 1);
  EXPECT_TRUE(client.Get(Id("a")));  // It is here now: no message.
  EXPECT_EQ(wants, 1);
}

TEST_F(HostileStoreTest, GetManyWantsWhatIsElsewhere) {
  store_.WriteSegment(7, "hello!");
  store_.index().Publish(1, "a", 7, 6, kSlotReadableByAll);
  store_.index().word(1) = MakeSlotWord(1, SlotState::kElsewhere);
  store_.SetAnswer([&](const protocol::RequestT& request) {
    if (request.body.AsWant() == nullptr) return Answer{.hang_up = true};
    store_.index().word(1) = MakeSlotWord(2, SlotState::kSealed);
    return Answer{FakeStore::Say(protocol::DoneT())};
  });
  Client client = Connect();
  const ObjectId ids[] = {Id("a")};
  const auto many = client.GetMany(ids, {.timeout = std::chrono::seconds(20)});
  ASSERT_TRUE(many) << many.error().ToString();
  EXPECT_TRUE(many->at(0).has_value());
}

TEST_F(HostileStoreTest, WhatCannotComeBackSaysWhy) {
  store_.index().Publish(1, "a", 7, 6, kSlotReadableByAll);
  store_.index().word(1) = MakeSlotWord(1, SlotState::kElsewhere);
  store_.SetAnswer([](const auto&) {
    protocol::FailureT failure;
    failure.code = static_cast<uint8_t>(Code::kIoError);
    failure.message = "the disk is gone";
    return Answer{FakeStore::Say(std::move(failure))};
  });
  Client client = Connect();
  const auto object = client.Get(Id("a"), kNever);
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().ToString(), "input/output error: the disk is gone");
}

TEST_F(HostileStoreTest, AStoreThatSaysItIsBackAndLiesIsATimeout) {
  store_.index().Publish(1, "a", 7, 6, kSlotReadableByAll);
  store_.index().word(1) = MakeSlotWord(1, SlotState::kElsewhere);
  store_.SetAnswer(
      [](const auto&) { return Answer{FakeStore::Say(protocol::DoneT())}; });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Get(Id("a"), std::chrono::milliseconds(50))),
            Code::kTimeout);
}

TEST_F(HostileStoreTest, ANewObjectWithAShortSegmentIsRefused) {
  const UniqueFd file(::memfd_create("segment", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file.get(), 10), 0);
  std::atomic<int> aborts = 0;
  store_.SetAnswer([&](const protocol::RequestT& request) {
    if (request.body.AsAbort() != nullptr) {
      ++aborts;
      return Answer{FakeStore::Say(protocol::DoneT())};
    }
    return Answer{FakeStore::Say(protocol::CreateReplyT()), {file.get()}};
  });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Create(Id("a"), 11, {.announce = true})),
            Code::kCorruption);
  EXPECT_EQ(aborts, 1);
}

TEST_F(HostileStoreTest, AHungUpCallIsDisconnected) {
  store_.SetAnswer([](const auto&) { return Answer{.hang_up = true}; });
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Stat(Id("a"))), Code::kDisconnected);
}

TEST_F(HostileStoreTest, BlockedCallsEndWithTheStore) {
  store_.SetAnswer([](const auto&) { return Answer{.silent = true}; });
  Client client = Connect();
  std::thread stopper([&] {
    Eventually([&] { return store_.requests() > 0; });
    store_.Stop();
  });
  EXPECT_EQ(CodeOf(client.GetMany(std::vector{Id("a")}, {.timeout = kNever})),
            Code::kDisconnected);
  stopper.join();
  EXPECT_TRUE(Eventually(
      [&] { return CodeOf(client.Get(Id("a"))) == Code::kDisconnected; }));
}

// Only the client itself can wake threads that sleep on a dead store's index.
TEST_F(HostileStoreTest, GetsThatWaitEndWithTheStore) {
  Client client = Connect();
  std::vector<std::thread> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back([&, i] {
      EXPECT_EQ(CodeOf(client.Get(Id("id" + std::to_string(i)), kNever)),
                Code::kDisconnected);
    });
  }
  const auto* page = Page();
  EXPECT_TRUE(Eventually([&] { return page->waiters == 4; }));
  store_.Stop();
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(page->waiters, 0U);
  EXPECT_EQ(page->awaited_groups, 0U);
}

TEST_F(HostileStoreTest, AWaitingGetAsksNobody) {
  Client client = Connect();
  store_.SetAnswer([](const auto&) { return Answer{.hang_up = true}; });
  EXPECT_EQ(CodeOf(client.Get(Id("a"), Timeout(20))), Code::kTimeout);
  EXPECT_EQ(store_.requests(), 0);
}

// --- and what a good one does, seen from close by ---

TEST_F(HostileStoreTest, AGetIsPinnedInThePageUntilItsRelease) {
  store_.WriteSegment(7, "hello");
  store_.index().Publish(3, "a", 7, 5);
  Client client = Connect();
  auto mapping = Mapping::Map(store_.page_fd(), sizeof(ClientPage), PROT_READ);
  ASSERT_TRUE(mapping);
  const auto* page = reinterpret_cast<const ClientPage*>(mapping->data());
  const auto count_pins = [&] {
    int count = 0;
    for (const PageStripe& stripe : page->stripes) {
      for (uint32_t i = 0; i < stripe.pins_high_water; ++i) {
        if (stripe.pins[i] == MakePin(3, 1)) ++count;
      }
    }
    return count;
  };
  {
    auto object = client.Get(Id("a"));
    ASSERT_TRUE(object);
    const Object copy = *object;
    auto again = client.Get(Id("a"));
    EXPECT_EQ(count_pins(), 2);
    EXPECT_EQ(TextOf(copy), "hello");
    EXPECT_EQ(page->kept_mappings, 1u);
  }
  EXPECT_EQ(count_pins(), 0);
  EXPECT_EQ(store_.requests(), 0);
}

TEST_F(HostileStoreTest, ARecallUnmapsWhatIsNotInHand) {
  store_.WriteSegment(7, "kept");
  store_.WriteSegment(8, "held");
  store_.index().Publish(1, "kept", 7, 4);
  store_.index().Publish(2, "held", 8, 4);
  Client client = Connect();
  auto mapping = Mapping::Map(store_.page_fd(), sizeof(ClientPage), PROT_READ);
  const auto* page = reinterpret_cast<const ClientPage*>(mapping->data());
  auto held = client.Get(Id("held"));
  EXPECT_TRUE(client.Get(Id("kept")));
  EXPECT_EQ(page->kept_mappings, 2u);
  protocol::RecallT recall;
  recall.segments = {7, 8, 9};
  store_.SaySoon(FakeStore::Say(recall));
  EXPECT_TRUE(Eventually([&] { return page->kept_mappings == 1; }));
  EXPECT_EQ(TextOf(*held), "held");
}

TEST_F(HostileStoreTest, WithoutPinsLeftGetsGoOn) {
  store_.WriteSegment(7, "hello");
  store_.index().Publish(1, "a", 7, 5);
  Client client = Connect();
  std::vector<Object> objects;
  for (size_t i = 0; i < kPageStripes * kPinsPerStripe + 100; ++i) {
    auto object = client.Get(Id("a"));
    ASSERT_TRUE(object) << object.error().ToString();
    objects.push_back(std::move(*object));
  }
  EXPECT_EQ(TextOf(objects.back()), "hello");
}

TEST_F(HostileStoreTest, OpensByDescriptorWhatItMayNotOpenByName) {
  store_.WriteSegment(7, "hello");
  store_.index().Publish(1, "a", 7, 5, /*flags=*/0);
  const UniqueFd segment(::open(
      (store_.segments() + "/0000000000000007").c_str(), O_RDONLY | O_CLOEXEC));
  std::atomic<uint64_t> number = 6;  // Deleted and made anew, at first.
  store_.SetAnswer([&](const protocol::RequestT& request) {
    EXPECT_NE(request.body.AsOpen(), nullptr);
    protocol::OpenReplyT reply;
    reply.segment = number++;
    return Answer{FakeStore::Say(reply), {segment.get()}};
  });
  Client client = Connect();
  auto object = client.Get(Id("a"));
  ASSERT_TRUE(object) << object.error().ToString();
  EXPECT_EQ(TextOf(*object), "hello");
  EXPECT_EQ(store_.requests(), 2);
}

}  // namespace
}  // namespace vitrine
