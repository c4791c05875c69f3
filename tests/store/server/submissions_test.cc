// The ring through which clients submit small objects, with a client that does
// what it likes.
#include "store/server/submissions.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/protocol.h"
#include "schema/submission_ring.h"
#include "store/accounts/accounts.h"
#include "store/segments/segment_file.h"
#include "store/store.h"
#include "tests/store/store_calls.h"
#include "tests/support/asleep.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_ring.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kCapacity = 16 << 20;
constexpr uint64_t kBlankBytes = 8192;

// A MetadataList, whatever it has.
std::string Packed(
    const std::vector<std::pair<std::string, std::string>>& entries) {
  protocol::MetadataListT list;
  for (const auto& [name, value] : entries) {
    auto entry = std::make_unique<protocol::MetadataEntryT>();
    entry->name = name;
    entry->value.assign(value.begin(), value.end());
    list.entries.push_back(std::move(entry));
  }
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(protocol::MetadataList::Pack(builder, &list));
  return std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                     builder.GetSize());
}

// A MetadataList whose entries have one value of `bytes` between them.
std::string SharedValues(size_t count, size_t bytes) {
  flatbuffers::FlatBufferBuilder builder;
  const auto value = builder.CreateVector(std::vector<uint8_t>(bytes, 'x'));
  std::vector<flatbuffers::Offset<protocol::MetadataEntry>> entries;
  for (size_t i = 0; i < count; ++i) {
    const auto name = builder.CreateString("name-" + std::to_string(i));
    entries.push_back(protocol::CreateMetadataEntry(builder, name, value));
  }
  const auto list = builder.CreateVector(entries);
  builder.Finish(protocol::CreateMetadataList(builder, list));
  return std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                     builder.GetSize());
}

class SubmissionsTest : public testing::Test {
 protected:
  SubmissionsTest() { Start(kCapacity); }

  void Start(uint64_t capacity_bytes) {
    submissions_.reset();
    store_.reset();
    StoreOptions options;
    options.capacity_bytes = capacity_bytes;
    options.state_dir = dir_.path() + "/state";
    options.memory_dir = dir_.path() + "/memory";
    std::filesystem::create_directory(options.memory_dir);
    store_ = *Store::Open(options);
    submissions_ = *Submissions::Start(store_.get());
  }

  RawRing Open(uint64_t session) { return OpenSized(session, kRingBytes); }

  RawRing OpenSized(uint64_t session, uint64_t bytes,
                    uint32_t first_record = 0) {
    auto ends =
        submissions_->Open(session, {.uid = 7, .gid = 8},
                           {.bytes = bytes, .first_record = first_record},
                           [this] { ++nonsense_; });
    if (!ends) throw std::runtime_error(ends.error().ToString());
    return RawRing(std::move(ends->ring), std::move(ends->bell), bytes);
  }

  std::shared_ptr<SessionBlanks> BlanksOf(uint64_t session) {
    return submissions_->BlanksOf(session);
  }
  // A blank of the session that begins with `text`; returns its number.
  uint64_t MakeBlank(uint64_t session, const std::string& text) {
    auto blank = store_->blanks().MakeBlank({.size_bytes = kBlankBytes});
    if (!blank) throw std::runtime_error(blank.error().ToString());
    const UniqueFd fd = *store_->blanks().OpenBlank(*blank);
    EXPECT_EQ(::pwrite(fd.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
    EXPECT_TRUE(BlanksOf(session)->Add(*blank));
    return NumberOf(**blank);
  }
  uint64_t CountBlanks() {
    return store_->facts().StatusJson()["objects"]["blanks"].get<uint64_t>();
  }

  // Puts and holds as much as fits; returns the last answer.
  int64_t FillWithHeld(RawRing* ring, int64_t timeout_ms,
                       std::vector<std::string>* held) {
    const std::string data(store_->small().small_object_bytes(), 'x');
    for (int i = 0; i < 5000; ++i) {
      const std::string id = std::to_string(i);
      ring->Append(id, data, 0644, timeout_ms);
      ring->Submit();
      const int64_t answer = ring->LastAnswer();
      if (answer != kRecordSealed) return answer;
      // It may be evicted before it is held: nothing else can be.
      const auto object = store_->sealed().FindSealed(*ObjectId::FromText(id));
      if (object && store_->sealed().SetHold(*object, true, {}))
        held->push_back(id);
    }
    return kRecordSealed;
  }

  std::string Read(const std::string& id) {
    return ReadSealed(store_.get(), id);
  }

  ScratchDir dir_;
  std::atomic<int> nonsense_ = 0;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Submissions> submissions_;
};

TEST_F(SubmissionsTest, WhatIsSubmittedIsSealedAndAnswered) {
  RawRing ring = Open(1);
  EXPECT_EQ(ring.Put("a", "bytes"), kRecordSealed);
  EXPECT_EQ(ring.Put("empty", ""), kRecordSealed);
  EXPECT_EQ(Read("a"), "bytes");
  EXPECT_EQ(Read("empty"), "");
  const ObjectInfo info = store_->objects().Info(
      *store_->sealed().FindSealed(*ObjectId::FromText("a")));
  EXPECT_EQ(info.uid, 7u);
  EXPECT_EQ(info.gid, 8u);
  EXPECT_EQ(info.mode, 0644u);
}

TEST_F(SubmissionsTest, WhatIsWrittenAfterTheSealChangesNothing) {
  RawRing ring = Open(1);
  ASSERT_EQ(ring.Put("a", "bytes"), kRecordSealed);
  ring.ring().bytes.fill(std::byte{'!'});
  EXPECT_EQ(Read("a"), "bytes");
}

TEST_F(SubmissionsTest, BadRecordsAreRefusedOneByOne) {
  RawRing ring = Open(1);
  EXPECT_EQ(ring.Put("a", "x"), kRecordSealed);
  EXPECT_EQ(ring.Put("a", "y"), Failed(Code::kAlreadyExists));
  EXPECT_EQ(ring.Put("a/b", "x"), Failed(Code::kInvalidArgument));
  EXPECT_EQ(ring.Put("..", "x"), Failed(Code::kInvalidArgument));
  EXPECT_EQ(ring.Put("private", "x", 0600), Failed(Code::kInvalidArgument));
  EXPECT_EQ(ring.Put("setuid", "x", 04644), Failed(Code::kInvalidArgument));
  EXPECT_EQ(ring.Put("big", std::string(
                                store_->small().small_object_bytes() + 1, 'x')),
            Failed(Code::kTooLarge));
  EXPECT_EQ(ring.Put("b", "still served"), kRecordSealed);
  EXPECT_EQ(nonsense_, 0);
}

// --- blanks ---

// A large blank of a user is copied on other threads; what comes behind it in
// its ring waits, other rings do not.
TEST_F(SubmissionsTest, ABlankThatIsCopiedKeepsItsPlace) {
  RawRing ring = Open(1);
  RawRing other = Open(2);
  auto blank = store_->blanks().MakeBlank(
      {.creator = {.uid = 7}, .size_bytes = 2 << 20});
  ASSERT_TRUE(blank) << blank.error().ToString();
  ASSERT_TRUE(BlanksOf(1)->Add(*blank));
  ring.AppendBlank("large", {NumberOf(**blank), 2 << 20});
  ring.Append("large", "taken by then");
  ring.Append("small", "x");
  ring.Submit();
  EXPECT_EQ(other.Put("other", "y"), kRecordSealed);
  EXPECT_EQ(ring.LastAnswer(), kRecordSealed);
  EXPECT_EQ(ring.ring().results[0].load(), kRecordSealed);
  EXPECT_EQ(ring.ring().results[1].load(), Failed(Code::kAlreadyExists));
  EXPECT_EQ(Read("large").size(), size_t{2} << 20);
  EXPECT_EQ(store_->facts().StatusJson()["seal_copies"]["objects"], 1);
}

TEST_F(SubmissionsTest, WhatADeadClientSubmittedIsCopiedAndSealed) {
  RawRing ring = Open(1);
  ASSERT_EQ(ring.Put("makes room", "x"), kRecordSealed);
  auto blank = store_->blanks().MakeBlank(
      {.creator = {.uid = 7}, .size_bytes = 2 << 20});
  ASSERT_TRUE(blank);
  ASSERT_TRUE(BlanksOf(1)->Add(*blank));
  ring.AppendBlank("large", {NumberOf(**blank), 2 << 20});
  ring.Append("small", "x");
  ring.Submit();
  submissions_->Close(1);
  EXPECT_TRUE(Eventually([&] { return submissions_->Count().rings == 0; }));
  EXPECT_EQ(Read("large").size(), size_t{2} << 20);
  EXPECT_EQ(Read("small"), "x");
}

TEST_F(SubmissionsTest, ABlankOfTheSessionIsSealed) {
  RawRing ring = Open(1);
  const uint64_t number = MakeBlank(1, "bytes of a blank");
  EXPECT_EQ(ring.SealBlank("a", {number, 5}), kRecordSealed);
  EXPECT_EQ(Read("a"), "bytes");
  EXPECT_EQ(submissions_->Count().blanks_sealed, 1u);
  EXPECT_EQ(ring.SealBlank("b", {number, 5}), Failed(Code::kNotFound));
  EXPECT_EQ(BlanksOf(1)->size(), 0u);
}

TEST_F(SubmissionsTest, ABlankOfAnotherSessionIsNotSealed) {
  RawRing mine = Open(1);
  RawRing other = Open(2);
  const uint64_t number = MakeBlank(1, "mine");
  EXPECT_EQ(other.SealBlank("a", {number, 4}), Failed(Code::kNotFound));
  EXPECT_EQ(other.SealBlank("a", {number + 1, 4}), Failed(Code::kNotFound));
  EXPECT_EQ(other.SealBlank("a", {UINT64_MAX, 4}), Failed(Code::kNotFound));
  EXPECT_EQ(mine.SealBlank("a", {number, 4}), kRecordSealed);
}

TEST_F(SubmissionsTest, ABlankThatCannotBeSealedIsGone) {
  RawRing ring = Open(1);
  ASSERT_EQ(ring.Put("taken", "x"), kRecordSealed);
  EXPECT_EQ(ring.SealBlank("taken", {MakeBlank(1, "x"), 1}),
            Failed(Code::kAlreadyExists));
  EXPECT_EQ(ring.SealBlank("a", {MakeBlank(1, "x"), kBlankBytes + 1}),
            Failed(Code::kInvalidArgument));
  const uint64_t used = MakeBlank(1, "x");
  const UniqueFd fd = *store_->blanks().OpenBlank(BlanksOf(1)->Find(used));
  EXPECT_EQ(ring.SealBlank("a", {used, 1, kKeepIfInUse}), Failed(Code::kInUse));
  EXPECT_EQ(BlanksOf(1)->size(), 1u);
  EXPECT_EQ(ring.SealBlank("a", {used, 1}), Failed(Code::kInUse));
  EXPECT_EQ(BlanksOf(1)->size(), 0u);
  EXPECT_TRUE(Eventually([&] { return CountBlanks() == 0; }));
}

TEST_F(SubmissionsTest, ARecordOfABlankOfAnotherLengthIsRefused) {
  RawRing ring = Open(1);
  for (const size_t size : {0U, 1U, 8U, 23U, 25U, 1000U}) {
    EXPECT_EQ(ring.Put("a", std::string(size, 'x'), kSealsBlank),
              Failed(Code::kInvalidArgument));
  }
  EXPECT_EQ(ring.Put("a", std::string(24, 'x'), kSealsBlank | 0644),
            Failed(Code::kInvalidArgument));
  EXPECT_EQ(nonsense_, 0);
}

TEST_F(SubmissionsTest, BlanksAndSmallObjectsKeepTheirOrder) {
  RawRing ring = Open(1);
  for (int i = 0; i < 10; ++i) {
    ring.Append("small-" + std::to_string(i), "x");
    ring.AppendBlank("blank-" + std::to_string(i), {MakeBlank(1, "y"), 1});
  }
  ring.Append("blank-3", "taken");
  ring.Submit();
  EXPECT_EQ(ring.LastAnswer(), Failed(Code::kAlreadyExists));
  for (uint32_t i = 0; i < 20; ++i) {
    EXPECT_EQ(ring.ring().results[i].load(), kRecordSealed) << i;
  }
}

TEST_F(SubmissionsTest, WhatADeadClientSubmittedIsSealedAndItsBlanksGo) {
  RawRing ring = Open(1);
  const auto blanks = BlanksOf(1);
  ring.AppendBlank("a", {MakeBlank(1, "text"), 4});
  MakeBlank(1, "never sealed");
  ring.Submit();
  submissions_->Close(1);
  EXPECT_TRUE(Eventually([&] { return submissions_->Count().rings == 0; }));
  EXPECT_EQ(Read("a"), "text");
  EXPECT_TRUE(Eventually([&] { return CountBlanks() == 0; }));
  EXPECT_EQ(BlanksOf(1), nullptr);
  // A worker that was just making one finds nobody to give it to.
  EXPECT_FALSE(blanks->Add(*store_->blanks().MakeBlank({.size_bytes = 1})));
}

TEST_F(SubmissionsTest, ASessionHasSoManyBlanksAndNoMore) {
  RawRing ring = Open(1);
  for (size_t i = 0; i < kMaxBlanksOfSession; ++i) MakeBlank(1, "x");
  auto blank = store_->blanks().MakeBlank({.size_bytes = 1});
  ASSERT_TRUE(blank);
  EXPECT_FALSE(BlanksOf(1)->Add(*blank));
}

TEST_F(SubmissionsTest, TheRingGoesRoundManyTimes) {
  RawRing ring = Open(1);
  const uint64_t largest = store_->small().small_object_bytes();
  for (int i = 0; i < 400; ++i) {
    const std::string id = std::to_string(i);
    const std::string data(static_cast<size_t>(i) * 7919 % largest,
                           static_cast<char>('a' + i % 26));
    ASSERT_EQ(ring.Put(id, data), kRecordSealed) << i;
    ASSERT_EQ(Read(id), data) << i;
  }
}

TEST_F(SubmissionsTest, ABatchIsAnsweredInOrder) {
  RawRing ring = Open(1);
  for (int i = 0; i < 3000; ++i) {
    ring.Append(std::to_string(i % 2000), "x");
  }
  ring.Submit();
  EXPECT_EQ(ring.LastAnswer(), Failed(Code::kAlreadyExists));
  for (uint32_t i = 0; i < 3000; ++i) {
    EXPECT_EQ(ring.ring().results[i].load(),
              i < 2000 ? kRecordSealed : Failed(Code::kAlreadyExists));
  }
}

TEST_F(SubmissionsTest, BadMetadataIsRefused) {
  RawRing ring = Open(1);
  const auto put = [&ring](const std::string& id, const std::string& metadata) {
    ring.Append(id, "x", 0644, 10'000, metadata);
    ring.Submit();
    return ring.LastAnswer();
  };
  const std::string good = Packed({{"k", "v"}});
  EXPECT_EQ(put("a", good), kRecordSealed);
  const auto object = *store_->sealed().FindSealed(*ObjectId::FromText("a"));
  EXPECT_EQ(*store_->objects().GetMetadata(object), (Metadata{{"k", "v"}}));
  // The last bytes are padding.
  for (size_t size = 1; size + 4 <= good.size(); ++size) {
    EXPECT_EQ(put("cut", good.substr(0, size)), Failed(Code::kInvalidArgument));
  }
  EXPECT_EQ(put("twice", Packed({{"k", "v"}, {"k", "w"}})),
            Failed(Code::kInvalidArgument));
  EXPECT_EQ(put("forged", Packed({{"vitrine.size", "1"}})),
            Failed(Code::kInvalidArgument));
  EXPECT_EQ(put("much", std::string(kMaxRecordMetadataBytes + 1, 'x')),
            Failed(Code::kTooLarge));
  EXPECT_EQ(put("shared", SharedValues(16, 2000)), Failed(Code::kTooLarge));
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i) {
    std::string noise = good;
    noise[random() % noise.size()] = static_cast<char>(random());
    EXPECT_NE(put("noise-" + std::to_string(i), noise), -1);
  }
  EXPECT_EQ(put("b", ""), kRecordSealed);
  EXPECT_EQ(nonsense_, 0);
}

TEST_F(SubmissionsTest, ImpossibleRecordsEndTheRingAndNothingElse) {
  const std::vector<RecordHeader> impossible = {
      {0, 0, 0644, 1, 0, 0},           {64, 0, 0644, 256, 0, 0},
      {64, 1 << 30, 0644, 1, 0, 0},    {65, 0, 0644, 1, 0, 0},
      {UINT32_MAX, 0, 0644, 1, 0, 0},  {128, 0, 0644, 1, 0, 0},
      {64, UINT32_MAX, 0644, 1, 0, 0}, {64, 0, 0644, 1, UINT16_MAX, 0}};
  RawRing good = OpenSized(1000, kLeastRingBytes);
  for (size_t i = 0; i < impossible.size(); ++i) {
    RawRing ring = OpenSized(i, kLeastRingBytes);
    ring.Write(impossible[i], "", "");
    ring.SubmitAs(64);
    EXPECT_TRUE(Eventually([&] {
      return nonsense_ == static_cast<int>(i) + 1;
    })) << i;
    EXPECT_EQ(good.Put("good-" + std::to_string(i), "x"), kRecordSealed);
  }
  EXPECT_EQ(store_->objects().List(ObjectState::kSealed).size(),
            impossible.size());
}

TEST_F(SubmissionsTest, ImpossibleEndsEndTheRing) {
  int session = 0;
  for (const uint64_t end :
       {uint64_t{1}, kRingBytes + 64, UINT64_MAX, UINT64_MAX - 63}) {
    RawRing ring = Open(static_cast<uint64_t>(session++));
    ring.SubmitAs(end);
    EXPECT_TRUE(Eventually([&] { return nonsense_ == session; })) << end;
  }
}

TEST_F(SubmissionsTest, RandomBytesHarmNobody) {
  std::mt19937 random(1);
  RawRing good = Open(1000);
  for (uint64_t session = 0; session < 20; ++session) {
    RawRing ring = Open(session);
    auto* words = reinterpret_cast<uint32_t*>(ring.ring().bytes.data());
    for (size_t i = 0; i < kRingBytes / 4; ++i) {
      words[i] = random() % 4 == 0 ? static_cast<uint32_t>(random()) : 64;
    }
    ring.SubmitAs(kRingBytes);
    EXPECT_EQ(good.Put(std::to_string(session), "x"), kRecordSealed);
    submissions_->Close(session);
  }
}

TEST_F(SubmissionsTest, TheClientCannotShrinkTheRing) {
  RawRing ring = Open(1);
  EXPECT_NE(::ftruncate(ring.fd(), 0), 0);
  EXPECT_NE(::ftruncate(ring.fd(), 1 << 30), 0);
  EXPECT_EQ(ring.Put("a", "x"), kRecordSealed);
}

TEST_F(SubmissionsTest, ASessionHasOneRing) {
  RawRing ring = Open(1);
  EXPECT_EQ(submissions_->Open(1, {}, {}, {}).error().code,
            Code::kAlreadyExists);
  EXPECT_EQ(ring.Put("a", "x"), kRecordSealed);
}

TEST_F(SubmissionsTest, ALargerRingTakesThePlaceOfASmallOne) {
  RawRing small = OpenSized(1, kLeastRingBytes);
  for (int i = 0; i < 200; ++i) {  // More than once around.
    ASSERT_EQ(small.Put("s" + std::to_string(i), std::string(1000, 's')),
              kRecordSealed);
  }
  const std::string data(store_->small().small_object_bytes(), 'l');
  const uint64_t blank = MakeBlank(1, "whole");
  RawRing large = OpenSized(1, kRingBytes, 200);
  EXPECT_EQ(large.ring().answered, 200U);
  EXPECT_EQ(small.Put("late", "x"), kRecordSealed);  // It is still read.
  EXPECT_EQ(large.Put("first", data), kRecordSealed);
  EXPECT_EQ(large.SealBlank("blank", {.number = blank, .size_bytes = 5}),
            kRecordSealed);
  EXPECT_EQ(Read("s199"), std::string(1000, 's'));
  EXPECT_EQ(Read("first"), data);
  EXPECT_EQ(Read("blank"), "whole");
  EXPECT_EQ(submissions_->Count().rings, 1U);
  EXPECT_EQ(nonsense_, 0);
}

TEST_F(SubmissionsTest, WhatTheFormerRingHasIsSealedThoughTheClientDies) {
  RawRing small = OpenSized(1, kLeastRingBytes);
  const uint64_t blank = MakeBlank(1, "whole");
  RawRing large = OpenSized(1, kRingBytes);
  small.Append("a", "bytes");
  small.AppendBlank("blank", {.number = blank, .size_bytes = 5});
  small.Submit();
  submissions_->Close(1);
  EXPECT_TRUE(Eventually([this] { return submissions_->Count().rings == 0; }));
  EXPECT_EQ(Read("a"), "bytes");
  EXPECT_EQ(Read("blank"), "whole");
}

TEST_F(SubmissionsTest, ARingOfNoSuchSizeIsRefused) {
  for (const uint64_t bytes : {uint64_t{1}, kLeastRingBytes - 1,
                               kLeastRingBytes + 64, kRingBytes * 2}) {
    EXPECT_EQ(submissions_->Open(1, {}, {.bytes = bytes}, {}).error().code,
              Code::kInvalidArgument);
  }
  RawRing ring = OpenSized(1, kLeastRingBytes * 2);
  for (const uint64_t bytes : {kLeastRingBytes, kLeastRingBytes * 2}) {
    EXPECT_EQ(submissions_->Open(1, {}, {.bytes = bytes}, {}).error().code,
              Code::kAlreadyExists);
  }
}

TEST_F(SubmissionsTest, WhatADeadClientSubmittedIsSealedAndItsRingGoes) {
  RawRing ring = Open(1);
  for (int i = 0; i < 100; ++i) ring.Append(std::to_string(i), "x");
  ring.Submit();
  ring.Append("never submitted", "x");
  submissions_->Close(1);
  EXPECT_TRUE(Eventually([&] { return submissions_->Count().rings == 0; }));
  EXPECT_EQ(store_->objects().List(ObjectState::kSealed).size(), 100u);
  RawRing again = Open(1);
  EXPECT_EQ(again.Put("b", "x"), kRecordSealed);
}

TEST_F(SubmissionsTest, RingsThatADeadClientKeepsTakeNoMemory) {
  RawRing small = OpenSized(1, kLeastRingBytes);
  EXPECT_EQ(small.Put("a", "x"), kRecordSealed);
  RawRing large = OpenSized(1, kRingBytes, 1);
  EXPECT_EQ(large.Put("b", "x"), kRecordSealed);
  EXPECT_GT(AllocatedBytes(small.fd()), 0u);
  EXPECT_GT(AllocatedBytes(large.fd()), 0u);
  submissions_->Close(1);
  EXPECT_TRUE(Eventually([&] {
    return AllocatedBytes(small.fd()) + AllocatedBytes(large.fd()) == 0;
  }));
}

// As when the store ends: the client still reads its last answers.
TEST_F(SubmissionsTest, AClientThatHasNotLeftKeepsItsRing) {
  RawRing ring = Open(1);
  EXPECT_EQ(ring.Put("a", "x"), kRecordSealed);
  ring.Append("b", "x");
  ring.Submit();
  submissions_->Close(1, /*client_left=*/false);
  EXPECT_TRUE(Eventually([&] { return submissions_->Count().rings == 0; }));
  EXPECT_EQ(ring.ring().answered, 2U);
}

TEST_F(SubmissionsTest, WithoutSpaceTheRecordFailsInTimeAndOthersGoOn) {
  RawRing ring = Open(1);
  std::vector<std::string> held;
  EXPECT_EQ(FillWithHeld(&ring, 20, &held), Failed(Code::kOutOfMemory));
  ASSERT_GT(held.size(), 100u);
  EXPECT_EQ(ring.Put(held[0], "x"), Failed(Code::kAlreadyExists));
}

TEST_F(SubmissionsTest, TheClientCannotMakeTheStoreWaitAtItsBell) {
  RawRing bad = Open(1);
  RawRing good = Open(2);
  ASSERT_EQ(::fcntl(bad.bell(), F_SETFL, 0), 0);  // Reads wait now.
  std::atomic<bool> stop = false;
  std::thread stealer([&] {
    uint64_t count = 1;
    while (!stop) {
      if (::write(bad.bell(), &count, sizeof(count)) < 0) break;
      if (::read(bad.bell(), &count, sizeof(count)) < 0) break;
      count = 1;
    }
  });
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(good.Put(std::to_string(i), "x"), kRecordSealed);
  }
  stop = true;
  stealer.join();
}

TEST_F(SubmissionsTest, ADeadClientWaitsForNoRoom) {
  RawRing ring = Open(1);
  std::vector<std::string> held;
  EXPECT_EQ(FillWithHeld(&ring, 0, &held), Failed(Code::kOutOfMemory));
  const std::string data(store_->small().small_object_bytes(), 'x');
  RawRing dying = OpenSized(2, kLeastRingBytes);
  dying.Append("never", data, 0644, -1);
  dying.Submit();
  EXPECT_TRUE(Eventually([&] {
    return store_->facts().StatusJson()["memory"]["waiters"].get<int>() == 1;
  }));
  submissions_->Close(2);
  EXPECT_TRUE(Eventually([&] {
    return store_->facts().StatusJson()["memory"]["waiters"].get<int>() == 0;
  }));
  EXPECT_FALSE(store_->sealed().FindSealed(*ObjectId::FromText("never")));
}

TEST_F(SubmissionsTest, AClosedRingIsForgottenHoweverMuchIsWrittenToIt) {
  RawRing ring = Open(1);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      ring.Append("endless-" + std::to_string(i), "x");
      ring.Submit();
      while (!stop &&
             ring.ring().answered.load() + 8 < static_cast<uint32_t>(i)) {
        std::this_thread::yield();
      }
    }
  });
  EXPECT_TRUE(Eventually([&] { return ring.ring().answered.load() > 1000; }));
  submissions_->Close(1);
  EXPECT_TRUE(Eventually([&] { return submissions_->Count().rings == 0; }));
  stop = true;
  writer.join();
}

TEST_F(SubmissionsTest, AUserHasSoManyRingsAndNoMore) {
  Start(16 * kCapacity);
  uint64_t session = 0;
  for (; session < 1000; ++session) {
    auto ends =
        submissions_->Open(session, {.uid = 7}, {.bytes = kLeastRingBytes}, {});
    if (!ends) {
      EXPECT_EQ(ends.error().code, Code::kUnsupported);
      break;
    }
  }
  EXPECT_EQ(session, 256u);
  EXPECT_TRUE(submissions_->Open(session, {.uid = 8}, {}, {}));
}

TEST_F(SubmissionsTest, RingsAreChargedUntilTheirSessionEnds) {
  const auto charged = [this] {
    return store_->facts().accounts().Used({Party::Kind::kUser, 7},
                                           Resource::kMemory);
  };
  // Of which the first MiB is free of the budget.
  const auto others = store_->memory().ShareWithClient(
      {.uid = 6, .gid = 6}, 1 << 20, ClientMemoryNeed::kNow);
  const uint64_t used = store_->facts().GetUsage().used_bytes;
  const RawRing small = OpenSized(1, kLeastRingBytes);
  EXPECT_EQ(charged(), RingFileBytes(kLeastRingBytes));
  RawRing larger = OpenSized(1, 4 * kLeastRingBytes);
  // The client has both mapped.
  const uint64_t both = charged();
  EXPECT_EQ(both, RingFileBytes(kLeastRingBytes) +
                      RingFileBytes(4 * kLeastRingBytes));
  EXPECT_EQ(store_->facts().GetUsage().used_bytes, used + both);
  submissions_->Close(1);
  EXPECT_TRUE(Eventually([&] { return charged() == 0; }));
  EXPECT_EQ(store_->facts().GetUsage().used_bytes, used);
}

TEST_F(SubmissionsTest, OnlyTheFirstRingIsGivenInAFullStore) {
  RawRing ring = Open(1);
  std::vector<std::string> held;
  EXPECT_EQ(FillWithHeld(&ring, 0, &held), Failed(Code::kOutOfMemory));
  RawRing small = OpenSized(2, kLeastRingBytes);
  EXPECT_EQ(submissions_->Open(2, {}, {.bytes = kRingBytes}, {}).error().code,
            Code::kOutOfMemory);
}

TEST_F(SubmissionsTest, ManyRingsAtOnce) {
  std::vector<std::thread> clients;
  std::atomic<int> wrong = 0;
  for (uint64_t session = 0; session < 8; ++session) {
    clients.emplace_back([this, session, &wrong] {
      RawRing ring = OpenSized(session, 4 * kLeastRingBytes);
      for (int i = 0; i < 500; ++i) {
        const std::string id =
            std::to_string(session) + "-" + std::to_string(i);
        if (ring.Put(id, id) != kRecordSealed) ++wrong;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(store_->objects().List(ObjectState::kSealed).size(), 4000u);
  EXPECT_EQ(submissions_->Count().sealed, 4000u);
}

TEST_F(SubmissionsTest, AnIdleOneSleeps) {
  RawRing ring = Open(1);
  ASSERT_EQ(ring.Put("a", "x"), kRecordSealed);
  EXPECT_TRUE(Eventually([&] { return ring.ring().store_sleeps.load() == 1; }));
  const pid_t thread = FindThread(::getpid(), "submissions");
  ASSERT_NE(thread, 0);
  EXPECT_TRUE(FallsAsleep(thread));
}

}  // namespace
}  // namespace vitrine::store
