#include "client/ring/ring_writer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tests/client/ring/fake_ring.h"
#include "tests/client/test_store.h"
#include "tests/support/asleep.h"
#include "tests/support/eventually.h"

namespace vitrine {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kTaken =
    kRecordFailed | static_cast<uint32_t>(Code::kAlreadyExists);

Deadline Soon() { return Clock::now() + std::chrono::seconds(20); }

class RingWriterTest : public testing::Test {
 protected:
  Result<std::unique_ptr<RingWriter>> Open() {
    return RingWriter::Open({fake_.NewFile(), fake_.NewBell()}, &failures_,
                            [this] { ++nonsense_; });
  }
  void SetUp() override {
    auto writer = Open();
    ASSERT_TRUE(writer) << writer.error().ToString();
    writer_ = std::move(*writer);
  }

  Status Put(const std::string& id, const std::string& data = "data") {
    const ObjectId name = Id(id);
    return writer_->Put(SmallPut{name, BytesOf(data), 0644, 1234});
  }
  Status PutLater(const std::string& id, const std::string& data = "data",
                  int64_t timeout_ms = 1234) {
    const ObjectId name = Id(id);
    return writer_->PutLater(SmallPut{name, BytesOf(data), 0644, timeout_ms});
  }
  // Fills the ring with records that nobody answers.
  int Fill(const std::string& data) {
    int count = 0;
    ObservedThread filler([&] {
      while (PutLater("id" + std::to_string(count), data)) ++count;
    });
    EXPECT_TRUE(filler.FallsAsleep());
    writer_->End("the end");
    filler.Join();
    return count;
  }

  FakeRing fake_;
  PutFailures failures_;
  std::atomic<int> nonsense_ = 0;
  std::unique_ptr<RingWriter> writer_;
};

// --- what must not go behind others ---

// Invariant (4) of RingWriter.
TEST_F(RingWriterTest, NoneGoesBehindOneThatMayWaitLonger) {
  EXPECT_TRUE(PutLater("a", "", 100));
  EXPECT_EQ(CodeOf(PutLater("b", "", 99)), RingWriter::kWouldWaitTooLong);
  EXPECT_TRUE(PutLater("c", "", 100));
  EXPECT_TRUE(PutLater("d", "", -1));  // For ever.
  EXPECT_EQ(CodeOf(PutLater("e", "", 1 << 30)), RingWriter::kWouldWaitTooLong);
  EXPECT_TRUE(PutLater("f", "", -1));
  for (int i = 0; i < 3; ++i) fake_.Answer(kRecordSealed);
  EXPECT_EQ(CodeOf(PutLater("g", "", 0)), RingWriter::kWouldWaitTooLong);
  fake_.Answer(kRecordSealed);
  EXPECT_TRUE(PutLater("h", "", 0));
  std::string ids;
  while (const auto record = fake_.Next()) ids += record->id;
  EXPECT_EQ(ids, "acdfh");
}

// --- what is no ring ---

TEST_F(RingWriterTest, AShortRingIsRefused) {
  ASSERT_EQ(::ftruncate(fake_.file(), sizeof(SubmissionRing) - 1), 0);
  EXPECT_EQ(CodeOf(Open()), Code::kCorruption);
}

TEST_F(RingWriterTest, ARingThatIsNoFileIsRefused) {
  EXPECT_EQ(CodeOf(RingWriter::Open({fake_.NewBell(), fake_.NewBell()},
                                    &failures_, [] {})),
            Code::kCorruption);
}

TEST_F(RingWriterTest, ABellThatCouldBlockOrKillIsRefused) {
  const auto open = [&](int fd) {
    return CodeOf(RingWriter::Open({fake_.NewFile(), PrivateFd(UniqueFd(fd))},
                                   &failures_, [] {}));
  };
  EXPECT_EQ(open(::eventfd(0, EFD_CLOEXEC)), Code::kCorruption);
  std::array<int, 2> ends;
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  ::close(ends[0]);
  EXPECT_EQ(open(ends[1]), Code::kCorruption);
}

TEST_F(RingWriterTest, AUsedRingIsRefused) {
  fake_.ring().submitted = 64;
  EXPECT_EQ(CodeOf(Open()), Code::kCorruption);
  fake_.ring().submitted = 0;
  fake_.ring().answered = 1;
  EXPECT_EQ(CodeOf(Open()), Code::kCorruption);
}

// --- full ---

// Invariant (2) of RingWriter.
TEST_F(RingWriterTest, AtMostAsManyRecordsAsResultsAreOnTheirWay) {
  EXPECT_EQ(Fill(""), static_cast<int>(kRingResults));
}

// Invariant (2) of RingWriter.
TEST_F(RingWriterTest, AFullRingIsNotWrittenOver) {
  const std::string data(10000, 'x');
  const int count = Fill(data);
  EXPECT_EQ(count, static_cast<int>(kRingBytes / RecordBytes(3, 10000)));
  for (int i = 0; i < count; ++i) {
    const auto record = fake_.Next();
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->id, "id" + std::to_string(i));
    EXPECT_EQ(record->data, data);
  }
  EXPECT_FALSE(fake_.Next().has_value());
}

TEST_F(RingWriterTest, AFullRingGoesOnWhenThereIsRoomAgain) {
  std::atomic<int> put = 0;
  ObservedThread filler([&] {
    while (put < 10000 && PutLater("a")) ++put;
  });
  EXPECT_TRUE(Eventually([&] { return put == kRingResults; }));
  EXPECT_TRUE(filler.FallsAsleep());
  EXPECT_EQ(put, static_cast<int>(kRingResults));
  fake_.ServeGladly();
  filler.Join();
  EXPECT_EQ(put, 10000);
  EXPECT_TRUE(writer_->Flush(Soon()));
}

TEST_F(RingWriterTest, TheLargestRecordsFitAlways) {
  fake_.Serve([](const FakeRing::Record& record) {
    return record.data == std::string(record.data.size(), 'x') ? kRecordSealed
                                                               : kTaken;
  });
  const std::string id(ObjectId::kMaxBytes, 'i');
  const std::string data(RingWriter::kMaxDataBytes, 'x');
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(PutLater("small"));
    ASSERT_TRUE(Put(id, data));
  }
  EXPECT_EQ(CodeOf(Put(id, data + "x")), Code::kInvalidArgument);
}

TEST_F(RingWriterTest, ALargeRecordGetsItsRoomAmongManySmallOnes) {
  fake_.ServeGladly();
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!stop) EXPECT_TRUE(PutLater("small", std::string(2000, 's')));
    });
  }
  const std::string data(RingWriter::kMaxDataBytes, 'x');
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(PutLater("large", data));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(writer_->Flush(Soon()));
}

// --- growing ---

class GrowingRingTest : public RingWriterTest {
 protected:
  const std::string data_1000 = std::string(1000, 'x');

  void SetUp() override {
    auto writer = RingWriter::Open(
        {small_.NewFile(), small_.NewBell()}, &failures_,
        [this] { ++nonsense_; }, {},
        [this](uint32_t bytes, uint32_t first_record) {
          return Grow(bytes, first_record);
        });
    ASSERT_TRUE(writer) << writer.error().ToString();
    writer_ = std::move(*writer);
  }

  Result<RingWriter::Ends> Grow(uint32_t bytes, uint32_t first_record) {
    ++requests_;
    if (refuses_) return Error{Code::kOutOfMemory, "no memory"};
    larger_ = std::make_unique<FakeRing>(bytes, first_record + wrong_by_);
    bytes_ = bytes;
    return RingWriter::Ends{larger_->NewFile(), larger_->NewBell()};
  }

  FakeRing small_{kLeastRingBytes};
  std::unique_ptr<FakeRing> larger_;
  std::atomic<uint32_t> bytes_ = 0;
  std::atomic<int> requests_ = 0;
  std::atomic<bool> refuses_ = false;
  std::atomic<uint32_t> wrong_by_ = 0;
};

// Invariant (6) of RingWriter.
TEST_F(GrowingRingTest, TheLargerRingIsUsedOnceTheFullOneIsAnswered) {
  std::atomic<int> put = 0;
  ObservedThread filler([&] {
    while (put < 100 && PutLater("id" + std::to_string(put), data_1000)) ++put;
  });
  EXPECT_TRUE(Eventually([&] { return bytes_ != 0; }));
  EXPECT_TRUE(filler.FallsAsleep());
  const int in_small = put;
  EXPECT_EQ(in_small, static_cast<int>(kLeastRingBytes / RecordBytes(3, 1000)));
  EXPECT_EQ(bytes_, 4 * kLeastRingBytes);
  EXPECT_EQ(larger_->ring().submitted, 0U);
  for (int i = 0; i < in_small; ++i) {
    ASSERT_EQ(small_.Next()->id, "id" + std::to_string(i));
    small_.Answer(i == 3 ? kTaken : kRecordSealed);
  }
  filler.Join();
  EXPECT_EQ(put, 100);
  for (int i = in_small; i < put; ++i) {
    ASSERT_EQ(larger_->Next()->id, "id" + std::to_string(i));
    larger_->Answer(i == 99 ? kTaken : kRecordSealed);
  }
  EXPECT_TRUE(writer_->Flush(Soon()));
  const auto failed = failures_.Take();
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(failed[0].id.text(), "id3");
  EXPECT_EQ(failed[1].id.text(), "id99");
  EXPECT_FALSE(small_.Next().has_value());
  EXPECT_EQ(requests_, 1);
}

TEST_F(GrowingRingTest, ARecordThatIsTooLargeMakesItGrow) {
  small_.ServeGladly();
  ASSERT_TRUE(Put("small"));
  std::thread server([this] {
    EXPECT_TRUE(Eventually([this] { return bytes_ != 0; }));
    larger_->ServeGladly();
  });
  EXPECT_TRUE(Put("large", std::string(RingWriter::kMaxDataBytes, 'x')));
  server.join();
  EXPECT_EQ(bytes_, kRingBytes);
  EXPECT_TRUE(Put("small"));
  EXPECT_EQ(larger_->ring().answered, 3U);  // The number goes on.
  larger_->Stop();
}

TEST_F(GrowingRingTest, WhatDoesNotFitGoesByMessageIfItMayNotGrow) {
  refuses_ = true;
  small_.ServeGladly();
  const std::string large(kLeastRingBytes / 2, 'x');
  EXPECT_EQ(CodeOf(Put("large", large)), RingWriter::kWouldWaitTooLong);
  EXPECT_EQ(CodeOf(PutLater("large", large)), RingWriter::kWouldWaitTooLong);
  EXPECT_EQ(requests_, 1);  // It does not ask again at once.
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(PutLater("small", data_1000));
  EXPECT_TRUE(writer_->Flush(Soon()));
  EXPECT_EQ(nonsense_, 0);
}

TEST_F(GrowingRingTest, ALargerRingThatIsNoNewOneEndsTheSession) {
  wrong_by_ = 1;
  EXPECT_EQ(CodeOf(Put("large", std::string(kLeastRingBytes / 2, 'x'))),
            RingWriter::kWouldWaitTooLong);
  EXPECT_EQ(nonsense_, 1);
}

TEST_F(GrowingRingTest, ThreadsThatFillItLoseNothingWhileItGrows) {
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kRounds = 300;
  const std::string data(2000, 'x');
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < kRounds; ++i) {
        const std::string id = std::to_string(t) + "-" + std::to_string(i);
        EXPECT_TRUE(i % 10 == 9 ? Put(id, data) : PutLater(id, data));
      }
    });
  }
  // Nobody is answered until the ring is full.
  EXPECT_TRUE(Eventually([this] { return bytes_ != 0; }));
  refuses_ = true;  // `larger_` stays.
  small_.ServeGladly();
  larger_->ServeGladly();
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(writer_->Flush(Soon()));
  EXPECT_EQ(larger_->ring().answered, kThreads * kRounds);
  larger_->Stop();
}

// --- answers that come late, never, or wrong ---

TEST_F(RingWriterTest, APutWaitsForALateAnswer) {
  auto put = std::async(std::launch::async, [&] { return Put("a"); });
  EXPECT_EQ(put.wait_for(milliseconds(350)), std::future_status::timeout);
  EXPECT_EQ(fake_.Next()->id, "a");
  fake_.Answer(kTaken);
  EXPECT_EQ(CodeOf(put.get()), Code::kAlreadyExists);
  EXPECT_EQ(fake_.ring().waiters, 0u);
}

TEST_F(RingWriterTest, AStoreThatForgetsToWakeIsNoticed) {
  auto put = std::async(std::launch::async, [&] { return Put("a"); });
  EXPECT_TRUE(Eventually([&] { return fake_.ring().waiters == 1; }));
  fake_.ring().results[0] = kRecordSealed;
  fake_.ring().answered = 1;
  EXPECT_TRUE(put.get());
}

TEST_F(RingWriterTest, TheEndOfTheSessionEndsAllWaits) {
  std::vector<std::future<Status>> puts;
  for (int i = 0; i < 4; ++i) {
    puts.push_back(std::async(std::launch::async, [&] { return Put("a"); }));
  }
  auto flush = std::async(std::launch::async, [&] {
    EXPECT_TRUE(PutLater("later"));
    return writer_->Flush(kNoDeadline);
  });
  EXPECT_TRUE(Eventually([&] { return fake_.ring().waiters == 5; }));
  writer_->End("the store went away");
  for (auto& put : puts) {
    const Status status = put.get();
    EXPECT_EQ(CodeOf(status), Code::kDisconnected);
    EXPECT_EQ(status.error().message, "the store went away");
  }
  EXPECT_TRUE(flush.get());
  const auto failed = failures_.Take();
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].id.text(), "later");
  EXPECT_EQ(failed[0].error.code, Code::kDisconnected);
  EXPECT_EQ(CodeOf(Put("b")), Code::kDisconnected);
  EXPECT_EQ(CodeOf(PutLater("b")), Code::kDisconnected);
  writer_->End("again");
  EXPECT_EQ(nonsense_, 0);
}

TEST_F(RingWriterTest, WhatWasAnsweredBeforeTheEndDidNotFail) {
  for (const char* id : {"a", "b", "c"}) EXPECT_TRUE(PutLater(id));
  fake_.Answer(kRecordSealed);
  fake_.Answer(kTaken);
  writer_->End("the end");
  const auto failed = failures_.Take();
  ASSERT_EQ(failed.size(), 2u);
  EXPECT_EQ(failed[0].id.text(), "b");
  EXPECT_EQ(failed[0].error.code, Code::kAlreadyExists);
  EXPECT_EQ(failed[1].id.text(), "c");
  EXPECT_EQ(failed[1].error.code, Code::kDisconnected);
}

// Invariant (3) of RingWriter.
TEST_F(RingWriterTest, MoreAnswersThanRecordsEndTheRing) {
  EXPECT_TRUE(PutLater("a"));
  fake_.ring().answered = 2;
  EXPECT_EQ(CodeOf(Put("b")), Code::kCorruption);
  EXPECT_EQ(nonsense_, 1);
  EXPECT_EQ(failures_.Take().size(), 1u);
  EXPECT_EQ(CodeOf(PutLater("c")), Code::kCorruption);
}

TEST_F(RingWriterTest, AnswersThatAreTakenBackEndTheRing) {
  fake_.ServeGladly();
  EXPECT_TRUE(Put("a"));
  fake_.Stop();
  fake_.ring().answered = 0;
  EXPECT_EQ(CodeOf(Put("b")), Code::kCorruption);
  EXPECT_EQ(nonsense_, 1);
}

// Invariant (3) of RingWriter.
TEST_F(RingWriterTest, AnAnswerThatIsNoneEndsTheRing) {
  for (const uint32_t answer : {0u, 2u, 0x200u, ~0u}) {
    SetUp();
    fake_.ring().submitted = 0;
    nonsense_ = 0;
    auto put = std::async(std::launch::async, [&] { return Put("a"); });
    EXPECT_TRUE(Eventually([&] { return fake_.ring().submitted > 0; }));
    fake_.Answer(answer);
    EXPECT_EQ(CodeOf(put.get()), Code::kCorruption);
    EXPECT_EQ(nonsense_, 1);
    fake_.ring().submitted = 0;
    fake_.ring().answered = 0;
  }
}

TEST_F(RingWriterTest, AnUnknownCodeIsCorruption) {
  fake_.Serve([](const auto&) { return kRecordFailed | 200u; });
  EXPECT_EQ(CodeOf(Put("a")), Code::kCorruption);
  EXPECT_EQ(nonsense_, 0);
}

// Invariant (3) of RingWriter.
TEST_F(RingWriterTest, AnIdThatWasWrittenOverEndsTheRing) {
  EXPECT_TRUE(PutLater("a"));
  fake_.ring().bytes[sizeof(RecordHeader)] = std::byte{'/'};
  fake_.Answer(kTaken);
  EXPECT_TRUE(writer_->Flush(Soon()));
  EXPECT_EQ(CodeOf(PutLater("b")), Code::kCorruption);
  EXPECT_EQ(nonsense_, 1);
}

// Invariant (3) of RingWriter.
TEST_F(RingWriterTest, AHeaderThatWasWrittenOverHarmsNothing) {
  EXPECT_TRUE(PutLater("a"));
  std::memset(fake_.ring().bytes.data(), 255, sizeof(RecordHeader));
  fake_.Answer(kTaken);
  EXPECT_TRUE(writer_->Flush(Soon()));
  EXPECT_EQ(failures_.Take().at(0).id.text(), "a");
}

// --- flush ---

TEST_F(RingWriterTest, AFlushThatTimesOutLosesNothing) {
  EXPECT_TRUE(PutLater("a"));
  EXPECT_EQ(CodeOf(writer_->Flush(Clock::now())), Code::kTimeout);
  EXPECT_EQ(CodeOf(writer_->Flush(Clock::now() + milliseconds(30))),
            Code::kTimeout);
  EXPECT_TRUE(failures_.Take().empty());
  fake_.Answer(kTaken);
  EXPECT_TRUE(writer_->Flush(Clock::now()));
  EXPECT_EQ(failures_.Take().size(), 1u);
  EXPECT_TRUE(writer_->Flush(Clock::now()));
  EXPECT_TRUE(failures_.Take().empty());
}

TEST_F(RingWriterTest, AFlushDoesNotWaitForWhatCameLater) {
  EXPECT_TRUE(PutLater("a"));
  auto flush =
      std::async(std::launch::async, [&] { return writer_->Flush(Soon()); });
  EXPECT_TRUE(Eventually([&] { return fake_.ring().waiters == 1; }));
  EXPECT_TRUE(PutLater("b"));
  fake_.Answer(kRecordSealed);
  EXPECT_TRUE(flush.get());
}

// Invariant (1) of RingWriter.
TEST_F(RingWriterTest, FailuresOfPipelinedPutsKeepTheirIds) {
  fake_.Serve([](const FakeRing::Record& record) {
    return record.id.back() == '7' ? kTaken : kRecordSealed;
  });
  for (size_t i = 0; i < 20000; ++i) {
    ASSERT_TRUE(PutLater(std::to_string(i), Content(1, i % 300)));
  }
  EXPECT_TRUE(writer_->Flush(Soon()));
  const auto failed = failures_.Take();
  ASSERT_EQ(failed.size(), 2000u);
  for (size_t i = 0; i < failed.size(); ++i) {
    EXPECT_EQ(failed[i].id.text(), std::to_string(10 * i + 7));
    EXPECT_EQ(failed[i].error.code, Code::kAlreadyExists);
  }
  EXPECT_EQ(failed[0].error.message, "`7` is taken");
}

// --- the bell, and records as they should be ---

TEST_F(RingWriterTest, OnlyASleepingStoreIsRung) {
  EXPECT_TRUE(PutLater("a"));
  EXPECT_EQ(fake_.TakeRings(), 0u);
  fake_.ring().store_sleeps = 1;
  EXPECT_TRUE(PutLater("b"));
  EXPECT_EQ(fake_.TakeRings(), 1u);
}

TEST_F(RingWriterTest, AStoreThatIsWakingUpIsNotRungAgain) {
  fake_.ring().store_sleeps = 1;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(PutLater("a"));
  EXPECT_EQ(fake_.TakeRings(), 1u);
  // It has answered what it was rung for and sleeps again.
  fake_.Answer(kRecordSealed);
  EXPECT_TRUE(PutLater("b"));
  EXPECT_EQ(fake_.TakeRings(), 1u);
  EXPECT_TRUE(PutLater("c"));
  EXPECT_EQ(fake_.TakeRings(), 0u);
}

TEST_F(RingWriterTest, AStoreThatSleepsAfterEachAnswerMissesNothing) {
  fake_.ServeGladly();
  for (int i = 0; i < 3000; ++i) {
    if (i % 3 == 0) {
      ASSERT_TRUE(Put("a"));
    } else {
      ASSERT_TRUE(PutLater("a"));
    }
    if (i % 100 == 0) {
      ASSERT_TRUE(writer_->Flush(Soon()));
      ASSERT_TRUE(Eventually([&] { return fake_.ring().store_sleeps == 1; }));
    }
  }
  EXPECT_TRUE(writer_->Flush(Soon()));
}

TEST_F(RingWriterTest, ABellThatRingsAlreadyIsNoError) {
  fake_.ring().store_sleeps = 1;
  ASSERT_EQ(::eventfd_write(fake_.bell(), ~uint64_t{0} - 1), 0);
  EXPECT_TRUE(PutLater("a"));
}

TEST_F(RingWriterTest, ARecordSaysWhatWasPut) {
  EXPECT_TRUE(PutLater("some id", "some data"));
  EXPECT_TRUE(PutLater("empty", ""));
  const auto record = fake_.Next();
  EXPECT_EQ(record->id, "some id");
  EXPECT_EQ(record->data, "some data");
  EXPECT_EQ(record->mode, 0644u);
  EXPECT_EQ(record->timeout_ms, 1234);
  EXPECT_EQ(fake_.Next()->data, "");
  EXPECT_FALSE(fake_.Next().has_value());
}

TEST_F(RingWriterTest, RecordsOfAllSizesGoRoundTheRingWhole) {
  std::atomic<int> wrong = 0;
  fake_.Serve([&](const FakeRing::Record& record) {
    if (record.data != Content(std::stoul(record.id), record.data.size())) {
      ++wrong;
    }
    return kRecordSealed;
  });
  for (size_t i = 0; i < 3000; ++i) {
    const size_t size = i * 7919 % (i % 50 == 0 ? 200000 : 3000);
    ASSERT_TRUE(PutLater(std::to_string(i), Content(i, size)));
  }
  EXPECT_TRUE(writer_->Flush(Soon()));
  EXPECT_GT(fake_.ring().submitted, 4 * kRingBytes);
  EXPECT_EQ(wrong, 0);
}

// Invariant (1) of RingWriter.
TEST_F(RingWriterTest, ManyThreadsGetTheirOwnAnswers) {
  fake_.Serve([](const FakeRing::Record& record) {
    return record.data == "no" ? kTaken : kRecordSealed;
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        const std::string id = std::to_string(t) + "-" + std::to_string(i);
        const bool good = i % 3 != 0;
        if (i % 2 == 0) {
          EXPECT_EQ(Put(id, good ? "yes" : "no").has_value(), good);
        } else {
          EXPECT_TRUE(PutLater(id, good ? "yes" : "no"));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(writer_->Flush(Soon()));
  std::set<std::string> failed;
  for (const FailedPut& put : failures_.Take()) failed.insert(put.id.text());
  size_t expected = 0;
  for (int i = 1; i < 5000; i += 2) expected += i % 3 == 0 ? 4 : 0;
  EXPECT_EQ(failed.size(), expected);
  EXPECT_EQ(fake_.ring().waiters, 0u);
}

// --- forks ---

// Invariant (5) of RingWriter.
TEST_F(RingWriterTest, AChildTouchesNeitherRingNorBell) {
  EXPECT_TRUE(PutLater("a"));
  fake_.ring().store_sleeps = 1;
  const uint64_t submitted = fake_.ring().submitted;
  const pid_t child = ::fork();
  if (child == 0) {
    writer_->End("the child's end");
    writer_.reset();
    ::_exit(failures_.Take().empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(fake_.ring().submitted, submitted);
  EXPECT_EQ(fake_.TakeRings(), 0u);
  fake_.Answer(kRecordSealed);
  EXPECT_TRUE(writer_->Flush(Soon()));
}

}  // namespace
}  // namespace vitrine
