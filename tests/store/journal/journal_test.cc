#include "store/journal/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>

#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

using Objects = std::map<uint64_t, JournaledObject>;

ObjectInfo InfoOf(uint64_t number, const std::string& id) {
  return ObjectInfo{.number = number,
                    .id = *ObjectId::FromText(id),
                    .state = ObjectState::kSealed,
                    .size_bytes = 1000 + number,
                    .charged_bytes = 4096,
                    .mode = 0640,
                    .uid = 17,
                    .gid = 4'000'000'000,
                    .creator_pid = 4711,
                    .created_ns = 1'700'000'000'123'456'789,
                    .modified_ns = -5,
                    .sealed_ns = 1'700'000'000'123'456'791,
                    .used_ns = 1'700'000'000'123'456'792,
                    .use_count = 99,
                    .hold = false};
}

Result<Journal> TryOpen(const std::string& path, Objects* objects) {
  JournalContents contents;
  Result<Journal> journal = Journal::Open(path, &contents);
  objects->clear();
  for (JournaledObject& object : contents.objects) {
    const uint64_t number = object.info.number;
    EXPECT_TRUE(objects->emplace(number, std::move(object)).second);
  }
  return journal;
}

Status Remove(Journal& journal, uint64_t number) {
  return journal.RecordRemoved({.numbers = {&number, 1},
                                .bytes = SealedRecordBytes("a", {}, false),
                                .in_memory = 1});
}

// In a slab, sealed a second after the one before.
ObjectInfo SmallOf(uint64_t number, const std::string& id, int64_t second = 0) {
  ObjectInfo info = InfoOf(number, id);
  info.slab = 5;
  info.offset_bytes = 64 * number;
  info.size_bytes = info.charged_bytes = 60 + number;
  info.sealed_ns += second * 1'000'000'000;
  info.created_ns = info.modified_ns = info.used_ns = info.sealed_ns;
  info.use_count = 0;
  return info;
}

void ExpectSame(const ObjectInfo& a, const ObjectInfo& b) {
  EXPECT_EQ(a.number, b.number);
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.size_bytes, b.size_bytes);
  EXPECT_EQ(a.charged_bytes, b.charged_bytes);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.uid, b.uid);
  EXPECT_EQ(a.gid, b.gid);
  EXPECT_EQ(a.creator_pid, b.creator_pid);
  EXPECT_EQ(a.created_ns, b.created_ns);
  EXPECT_EQ(a.modified_ns, b.modified_ns);
  EXPECT_EQ(a.sealed_ns, b.sealed_ns);
  EXPECT_EQ(a.used_ns, b.used_ns);
  EXPECT_EQ(a.use_count, b.use_count);
  EXPECT_EQ(a.hold, b.hold);
  EXPECT_EQ(a.slab, b.slab);
  EXPECT_EQ(a.offset_bytes, b.offset_bytes);
}

class JournalTest : public testing::Test {
 protected:
  void SetUp() override { descriptors_ = CountDescriptors(); }
  void TearDown() override {
    EXPECT_EQ(CountDescriptors(), descriptors_) << "a descriptor leaked";
  }

  std::string path() const { return scratch_.path() + "/journal"; }
  Journal Open(Objects* objects) const {
    Result<Journal> journal = TryOpen(path(), objects);
    EXPECT_TRUE(journal) << journal.error().ToString();
    return std::move(*journal);
  }
  Objects Replayed() const {
    Objects objects;
    Open(&objects);
    return objects;
  }
  JournalContents Contents() const {
    JournalContents contents;
    EXPECT_TRUE(Journal::Open(path(), &contents));
    return contents;
  }
  // A journal with nothing in it; returns its bytes.
  std::string Begun() const {
    Objects objects;
    EXPECT_TRUE(Open(&objects).RecordSealedInSlabs({}));
    return Bytes();
  }
  std::string Framed(const std::string& payload) const {
    std::string record;
    AppendFramed(payload, *ReadHead(Bytes()), &record);
    return record;
  }
  std::string Bytes() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void SetBytes(const std::string& bytes) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << bytes;
  }

  ScratchDir scratch_;
  size_t descriptors_ = 0;
};

TEST_F(JournalTest, GarbageIsUnreadableAndStaysUntilTheFirstRecord) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(1 + random() % 5000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    SetBytes(bytes);
    const JournalContents contents = Contents();
    EXPECT_TRUE(contents.unreadable);
    EXPECT_EQ(contents.damage.bytes, bytes.size());
    EXPECT_EQ(Bytes(), bytes);
  }
  Objects objects;
  ASSERT_TRUE(Open(&objects).RecordSealed(InfoOf(1, "a"), {}));
  EXPECT_EQ(Replayed().size(), 1u);
}

TEST_F(JournalTest, GarbageBehindTheHeadIsNeverAnObject) {
  const std::string head = Begun();
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(100 + random() % 5000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    SetBytes(head + bytes);
    const JournalContents contents = Contents();
    EXPECT_TRUE(contents.objects.empty());
    EXPECT_EQ(contents.damage.places, 1u);
  }
}

TEST_F(JournalTest, AFlippedBitCostsOneRecordAndMakesNoObject) {
  std::vector<size_t> ends;
  {
    Objects objects;
    Journal journal = Open(&objects);
    for (const char* id : {"a", "b", "c"}) {
      const auto number = static_cast<uint64_t>(id[0] - 'a' + 1);
      ASSERT_TRUE(journal.RecordSealed(InfoOf(number, id), {{"k", "v"}}));
      ends.push_back(Bytes().size());
    }
  }
  const std::string bytes = Bytes();
  for (size_t place = 0; place < bytes.size(); ++place) {
    std::string bad = bytes;
    bad[place] = static_cast<char>(bad[place] ^ 0x10);
    SetBytes(bad);
    const JournalContents contents = Contents();
    const bool in_head = place < kHeadBytes;
    EXPECT_EQ(contents.objects.size(), in_head ? 3u : 2u) << place;
    EXPECT_EQ(contents.damage.places, in_head ? 0u : 1u) << place;
    for (const JournaledObject& object : contents.objects) {
      const std::string id(1, static_cast<char>('a' + object.info.number - 1));
      ExpectSame(object.info, InfoOf(object.info.number, id));
    }
  }
}

TEST_F(JournalTest, RecordsFollowADamagedOneAndARewriteMendsIt) {
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(journal.RecordSealed(InfoOf(1, "a"), {}));
    ASSERT_TRUE(journal.RecordSealed(InfoOf(2, "b"), {}));
  }
  std::string bytes = Bytes();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  SetBytes(bytes);
  Objects objects;
  Journal journal = Open(&objects);
  ASSERT_TRUE(journal.RecordSealed(InfoOf(3, "c"), {}));
  EXPECT_EQ(Contents().objects.size(), 2u);
  EXPECT_TRUE(journal.WantsRewrite());
  const Objects live = Replayed();
  ASSERT_TRUE(journal.Rewrite([&](const Journal::Visitor& visit) {
    for (const auto& [number, object] : live) visit(object);
  }));
  EXPECT_FALSE(journal.WantsRewrite());
  EXPECT_EQ(Contents().objects.size(), 2u);
  EXPECT_EQ(Contents().damage.places, 0u);
}

// A client may write what it likes into an id or into metadata.
TEST_F(JournalTest, NoRecordIsFoundWithinAnother) {
  Begun();
  const std::string forged = *EncodeSealed(InfoOf(7, "forged"), {});
  std::string foreign = EncodeHead(1);
  AppendFramed(forged, 1, &foreign);
  {
    Objects objects;
    ASSERT_TRUE(Open(&objects).RecordSealed(InfoOf(1, "a"), {{"k", foreign}}));
    ASSERT_TRUE(Open(&objects).RecordSealed(InfoOf(2, "b"), {}));
  }
  const std::string bytes = Bytes();
  for (size_t place = kHeadBytes; place < kHeadBytes + 30; ++place) {
    std::string bad = bytes;
    bad[place] = static_cast<char>(~bad[place]);
    SetBytes(bad);
    const Objects objects = Replayed();
    EXPECT_EQ(objects.count(7), 0u);
    EXPECT_EQ(objects.count(2), 1u);
  }
}

TEST_F(JournalTest, AJournalThatLostItsHeadIsUnreadable) {
  Begun();
  const std::string bytes = Bytes();
  for (const size_t size : {0u, 4u, 47u}) {
    SetBytes(bytes.substr(0, size));
    EXPECT_TRUE(Contents().unreadable);
    EXPECT_EQ(Bytes().size(), size);
  }
  std::filesystem::remove(path());
  EXPECT_TRUE(Contents().unreadable);
}

TEST_F(JournalTest, ItSaysWhichNumbersWereRemoved) {
  {
    Objects objects;
    Journal journal = Open(&objects);
    for (const uint64_t number : {9u, 4u}) {
      ASSERT_TRUE(
          journal.RecordSealed(InfoOf(number, std::to_string(number)), {}));
      ASSERT_TRUE(Remove(journal, number));
    }
  }
  EXPECT_EQ(Contents().removed, (std::vector<uint64_t>{4, 9}));
  EXPECT_EQ(Contents().highest_number, 9u);
}

TEST_F(JournalTest, AWholeRecordThatMakesNoSenseIsDamage) {
  Begun();
  const std::string nonsense =
      Framed(*EncodeSealed(InfoOf(1, "a"), {{"vitrine.state", "forged"}})) +
      Framed("");
  SetBytes(Bytes() + nonsense + Framed(*EncodeSealed(InfoOf(2, "b"), {})));
  const JournalContents contents = Contents();
  EXPECT_EQ(contents.damage.places, 2u);
  EXPECT_EQ(contents.damage.bytes, nonsense.size());
  ASSERT_EQ(contents.objects.size(), 1u);
}

// Invariant (1) of Journal.
TEST_F(JournalTest, ATailTornAnywhereIsCutOff) {
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(journal.RecordSealed(InfoOf(1, "a"), {}));
  }
  const size_t whole_bytes = Bytes().size();
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(journal.RecordSealed(InfoOf(2, "b"), {}));
  }
  const std::string bytes = Bytes();
  for (size_t size = whole_bytes; size < bytes.size(); ++size) {
    SetBytes(bytes.substr(0, size));
    EXPECT_EQ(Replayed().size(), 1u);
    EXPECT_EQ(Bytes().size(), whole_bytes);
  }
}

TEST_F(JournalTest, RecordsFollowATornTail) {
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(journal.RecordSealed(InfoOf(1, "a"), {}));
    ASSERT_TRUE(journal.RecordSealed(InfoOf(2, "b"), {}));
  }
  SetBytes(Bytes().substr(0, Bytes().size() - 1));
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(journal.RecordSealed(InfoOf(3, "c"), {}));
  }
  const Objects objects = Replayed();
  EXPECT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects.count(3), 1u);
}

TEST_F(JournalTest, RemovedAndHeldTwiceIsAsOnce) {
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(Remove(journal, 5));
    ASSERT_TRUE(journal.RecordHold(5, true));
    ASSERT_TRUE(journal.RecordSealed(InfoOf(1, "a"), {}));
    ASSERT_TRUE(journal.RecordSealed(InfoOf(1, "a"), {}));
    ASSERT_TRUE(journal.RecordSealed(InfoOf(2, "b"), {}));
    ASSERT_TRUE(journal.RecordHold(2, true));
    ASSERT_TRUE(journal.RecordHold(2, true));
    ASSERT_TRUE(Remove(journal, 1));
    ASSERT_TRUE(Remove(journal, 1));
  }
  const Objects objects = Replayed();
  ASSERT_EQ(objects.size(), 1u);
  EXPECT_TRUE(objects.at(2).info.hold);
}

TEST_F(JournalTest, OfTwoObjectsWithOneIdTheLaterCounts) {
  {
    Objects objects;
    Journal journal = Open(&objects);
    for (const uint64_t number : {3u, 1u, 2u}) {
      ASSERT_TRUE(journal.RecordSealed(InfoOf(number, "a"), {}));
    }
  }
  const Objects objects = Replayed();
  ASSERT_EQ(objects.size(), 1u);
  EXPECT_EQ(objects.count(3), 1u);
}

TEST_F(JournalTest, AnObjectThatWasRemovedMayBeSealedAgain) {
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(journal.RecordSealed(InfoOf(2, "first"), {}));
    ASSERT_TRUE(journal.RecordHold(2, true));
    ASSERT_TRUE(Remove(journal, 2));
    ASSERT_TRUE(journal.RecordSealed(InfoOf(1, "b"), {}));
    ASSERT_TRUE(journal.RecordSealed(InfoOf(2, "again"), {}));
    ASSERT_TRUE(journal.RecordHold(1, true));
    ASSERT_TRUE(journal.RecordHold(1, false));
  }
  const Objects objects = Replayed();
  ASSERT_EQ(objects.size(), 2u);
  EXPECT_FALSE(objects.at(1).info.hold);
  ExpectSame(objects.at(2).info, InfoOf(2, "again"));
}

TEST_F(JournalTest, EverythingComesBack) {
  const Metadata metadata = {
      {"empty", ""}, {"binary", std::string("\0\xff\n", 3)}, {"x", "y"}};
  ObjectInfo held = InfoOf(UINT64_MAX, "b\xff\n c");
  held.hold = true;
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(
        journal.RecordSealed(InfoOf(1, std::string(255, 'n')), metadata));
    ASSERT_TRUE(journal.RecordSealed(held, {}));
    EXPECT_EQ(journal.size_bytes(), Bytes().size());
  }
  const Objects objects = Replayed();
  ASSERT_EQ(objects.size(), 2u);
  ExpectSame(objects.at(1).info, InfoOf(1, std::string(255, 'n')));
  EXPECT_EQ(MetadataOf(objects.at(1).metadata), metadata);
  ExpectSame(objects.at(UINT64_MAX).info, held);
}

TEST_F(JournalTest, SmallObjectsComeBackWhateverTheyShare) {
  std::vector<JournaledObject> sealed;
  const auto add = [&sealed](ObjectInfo info) -> JournaledObject& {
    return sealed.emplace_back(JournaledObject{std::move(info)});
  };
  for (uint64_t number = 6; number < 606; ++number) {
    add(SmallOf(number, std::to_string(number)));
  }
  add(SmallOf(606, std::string(255, 'n'), 1)).info.hold = true;
  ObjectInfo& used = add(SmallOf(UINT64_MAX, "used", 1)).info;
  used.use_count = 7;
  used.used_ns -= 1000;  // Clocks are set back.
  ObjectInfo& others = add(SmallOf(608, "others", 1)).info;
  others.uid = others.gid = UINT32_MAX;
  ObjectInfo& empty = add(SmallOf(3, "empty", 2)).info;
  empty.size_bytes = empty.charged_bytes = 0;
  add(SmallOf(609, "labelled", 2)).metadata =
      ShareMetadata({{"k", std::string("\0v", 2)}, {"empty", ""}});
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(journal.RecordSealedInSlabs(sealed));
    const uint64_t gone[] = {6, 7, 599};
    ASSERT_TRUE(journal.RecordRemoved({gone, 0, 3}));
  }
  const Objects replayed = Replayed();
  EXPECT_EQ(replayed.size(), sealed.size() - 3);
  for (const JournaledObject& object : sealed) {
    const auto found = replayed.find(object.info.number);
    if (found == replayed.end()) continue;
    ExpectSame(found->second.info, object.info);
    EXPECT_EQ(MetadataOf(found->second.metadata), MetadataOf(object.metadata));
  }
  EXPECT_EQ(replayed.count(7) + replayed.count(599), 0u);
}

// Metadata makes records long, and uses make them longer.
TEST_F(JournalTest, SmallObjectsWithMuchMetadataCanBeRewritten) {
  std::vector<JournaledObject> sealed;
  for (uint64_t number = 6; number < 606; ++number) {
    sealed.push_back({SmallOf(number, std::to_string(number)),
                      ShareMetadata({{"k", std::string(16'000, 'v')}})});
  }
  Objects objects;
  Journal journal = Open(&objects);
  ASSERT_TRUE(journal.RecordSealedInSlabs(sealed));
  for (JournaledObject& object : sealed) {
    object.info.use_count = UINT32_MAX;
    object.info.used_ns += 1'000'000'000'000;
  }
  ASSERT_TRUE(journal.RecordMoved(sealed));
  ASSERT_TRUE(journal.Rewrite([&](const Journal::Visitor& visit) {
    for (const JournaledObject& object : sealed) visit(object);
  }));
  const Objects replayed = Replayed();
  ASSERT_EQ(replayed.size(), sealed.size());
  for (const JournaledObject& object : sealed) {
    EXPECT_EQ(MetadataOf(replayed.at(object.info.number).metadata),
              MetadataOf(object.metadata));
  }
}

TEST_F(JournalTest, ForgedMetadataOfASmallObjectIsCorruption) {
  const JournaledObject forged{SmallOf(6, "a"),
                               ShareMetadata({{"vitrine.state", "forged"}})};
  const std::string record = *EncodeSealedInSlab({&forged, 1});
  EXPECT_EQ(DecodeRecord(record).error().code, Code::kCorruption);
}

TEST_F(JournalTest, ASmallObjectTakesFewBytes) {
  Begun();
  Objects objects;
  Journal journal = Open(&objects);
  const uint64_t before = journal.size_bytes();
  const JournaledObject one{SmallOf(6, "0123456789abcdef")};
  ASSERT_TRUE(journal.RecordSealedInSlabs({&one, 1}));
  EXPECT_LE(journal.size_bytes() - before, 64u);
}

TEST_F(JournalTest, SmallObjectsThatMakeNoSenseAreCorruption) {
  const JournaledObject objects[] = {
      {SmallOf(6, "a")}, {SmallOf(7, "b"), ShareMetadata({{"k", "value"}})}};
  const std::string record = *EncodeSealedInSlab(objects);
  const std::string payload = record;
  ASSERT_TRUE(DecodeRecord(payload));
  for (size_t size = 0; size < payload.size(); ++size) {
    EXPECT_FALSE(DecodeRecord(payload.substr(0, size))) << size;
  }
  EXPECT_FALSE(DecodeRecord(payload + "x"));
  std::mt19937_64 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string bad = payload;
    for (int flips = 0; flips < 3; ++flips) {
      bad[1 + random() % (bad.size() - 1)] = static_cast<char>(random());
    }
    const auto record_or_error = DecodeRecord(bad);
    if (record_or_error) continue;
    EXPECT_EQ(record_or_error.error().code, Code::kCorruption);
  }
  for (const char* bad : {"\x03halves", "\x04short", "\x05", "\xff"}) {
    EXPECT_FALSE(DecodeRecord(bad));
  }
}

TEST_F(JournalTest, ARewriteKeepsSmallObjects) {
  Objects objects;
  Journal journal = Open(&objects);
  std::vector<ObjectInfo> infos;
  for (uint64_t number = 6; number < 1006; ++number) {
    infos.push_back(SmallOf(number, std::to_string(number),
                            static_cast<int64_t>(number / 300)));
    const JournaledObject last{infos.back()};
    ASSERT_TRUE(journal.RecordSealedInSlabs({&last, 1}));
  }
  const ObjectInfo own = InfoOf(2000, "own");
  const uint64_t size_bytes = journal.size_bytes();
  ASSERT_TRUE(journal.Rewrite([&](const Journal::Visitor& visit) {
    for (const ObjectInfo& info : infos) {
      if (info.number == 500) visit({own, ShareMetadata({{"k", "v"}})});
      visit({info});
    }
  }));
  EXPECT_LT(journal.size_bytes(), size_bytes);
  const Objects replayed = Replayed();
  EXPECT_EQ(replayed.size(), infos.size() + 1);
  for (const ObjectInfo& info : infos) {
    ExpectSame(replayed.at(info.number).info, info);
  }
  ExpectSame(replayed.at(2000).info, own);
}

TEST_F(JournalTest, TheMostMetadataThereCanBeComesBack) {
  Metadata metadata;
  for (size_t entry = 0; entry < kMaxMetadataBytes / 3; ++entry) {
    metadata[std::string{static_cast<char>(1 + entry % 100),
                         static_cast<char>(1 + entry / 100 % 100),
                         static_cast<char>(1 + entry / 10000)}];
  }
  ASSERT_TRUE(CheckMetadata(metadata));
  {
    Objects objects;
    Journal journal = Open(&objects);
    ASSERT_TRUE(journal.RecordSealed(InfoOf(1, "a"), metadata));
  }
  EXPECT_EQ(MetadataOf(Replayed().at(1).metadata), metadata);
}

TEST_F(JournalTest, ARewriteKeepsWhatLives) {
  Objects objects;
  Journal journal = Open(&objects);
  EXPECT_FALSE(journal.WantsRewrite());
  ASSERT_TRUE(journal.RecordSealed(InfoOf(1, "a"), {{"k", "v"}}));
  ASSERT_TRUE(journal.RecordHold(1, true));
  for (uint64_t number = 2; !journal.WantsRewrite(); ++number) {
    ASSERT_LT(number, 10000u);
    ASSERT_TRUE(journal.RecordSealed(InfoOf(number, "b"), {}));
    ASSERT_TRUE(Remove(journal, number));
  }
  ObjectInfo live = InfoOf(1, "a");
  live.hold = true;
  const uint64_t size_bytes = journal.size_bytes();
  ASSERT_TRUE(journal.Rewrite([&](const Journal::Visitor& visit) {
    visit({live, ShareMetadata({{"k", "v"}})});
  }));
  EXPECT_LT(journal.size_bytes(), size_bytes / 2);
  EXPECT_FALSE(journal.WantsRewrite());
  ASSERT_TRUE(journal.RecordSealed(InfoOf(12345, "c"), {}));
  const Objects replayed = Replayed();
  ASSERT_EQ(replayed.size(), 2u);
  ExpectSame(replayed.at(1).info, live);
  EXPECT_EQ(MetadataOf(replayed.at(1).metadata), (Metadata{{"k", "v"}}));
}

TEST_F(JournalTest, ItSaysWhatIsElsewhere) {
  const std::vector<JournaledObject> small = {{SmallOf(6, "small 6")},
                                              {SmallOf(7, "small 7")}};
  Objects objects;
  {
    Journal journal = Open(&objects);
    for (uint64_t number = 1; number < 5; ++number) {
      const std::string id = std::to_string(number);
      ASSERT_TRUE(journal.RecordSealed(InfoOf(number, id), {}));
    }
    ASSERT_TRUE(journal.RecordSealedInSlabs(small));
    const uint64_t gone[] = {1, 2, 3, 6, 7};
    ASSERT_TRUE(journal.RecordDeparted(gone));
    ASSERT_TRUE(journal.RecordReturned({InfoOf(2, "2")}));
    ASSERT_TRUE(journal.RecordReturned(small[1]));
    ASSERT_TRUE(Remove(journal, 3));
    ASSERT_TRUE(journal.RecordHold(1, true));
  }
  const auto expect = [](const Objects& replayed) {
    ASSERT_EQ(replayed.size(), 5u);
    for (const auto& [number, object] : replayed) {
      const bool elsewhere = number == 1 || number == 6;
      EXPECT_EQ(object.info.elsewhere, elsewhere) << number;
      EXPECT_EQ(object.info.copied, elsewhere) << number;
    }
    EXPECT_TRUE(replayed.at(1).info.hold);
    EXPECT_EQ(replayed.at(6).info.slab, kLeftSlab);
    EXPECT_EQ(replayed.at(7).info.slab, 5u);
  };
  {
    Journal journal = Open(&objects);
    expect(objects);
    ASSERT_TRUE(journal.Rewrite([&](const Journal::Visitor& visit) {
      for (const auto& [number, object] : objects) visit(object);
    }));
  }
  const Objects rewritten = Replayed();
  expect(rewritten);
  ExpectSame(rewritten.at(1).info, objects.at(1).info);
  EXPECT_EQ(rewritten.at(6).info.size_bytes, small[0].info.size_bytes);
}

// The highest number is of an object, also if one that was in a slab has none.
TEST_F(JournalTest, WhatLeftItsSlabHasNoNumberOfIt) {
  Objects objects;
  {
    Journal journal = Open(&objects);
    ObjectInfo left = SmallOf(9, "left");
    left.slab = kLeftSlab;
    ASSERT_TRUE(journal.RecordSealedInSlabs({{{left}}}));
  }
  JournalContents contents;
  ASSERT_TRUE(Journal::Open(path(), &contents));
  EXPECT_EQ(contents.highest_number, 9u);
  ASSERT_EQ(contents.objects.size(), 1u);
  EXPECT_TRUE(contents.objects[0].info.elsewhere);
}

TEST_F(JournalTest, ItKnowsTheLastTiers) {
  using Tiers = std::vector<uint64_t>;
  for (const Tiers& tiers : {Tiers{7}, Tiers{8, UINT64_MAX}, Tiers{}}) {
    Objects objects;
    {
      Journal journal = Open(&objects);
      journal.SetTiers(tiers);
      ASSERT_TRUE(journal.Rewrite(
          [&](const Journal::Visitor& visit) { visit({InfoOf(1, "1")}); }));
    }
    JournalContents contents;
    auto journal = Journal::Open(path(), &contents);
    ASSERT_TRUE(journal);
    EXPECT_EQ(contents.tiers, tiers);
    // Any other rewrite keeps them.
    ASSERT_TRUE(journal->Rewrite([&](const Journal::Visitor&) {}));
    ASSERT_TRUE(Journal::Open(path(), &contents));
    EXPECT_EQ(contents.tiers, tiers);
  }
}

TEST_F(JournalTest, AnImpossibleRewriteChangesNothing) {
  Objects objects;
  Journal journal = Open(&objects);
  ASSERT_TRUE(journal.RecordSealed(InfoOf(1, "a"), {}));
  ASSERT_EQ(::mkdir((path() + ".new").c_str(), 0700), 0);
  EXPECT_FALSE(journal.Rewrite([](const Journal::Visitor&) {}));
  ASSERT_EQ(::rmdir((path() + ".new").c_str()), 0);
  ASSERT_TRUE(journal.RecordSealed(InfoOf(2, "b"), {}));
  EXPECT_EQ(Replayed().size(), 2u);
}

TEST_F(JournalTest, ALeftOverRewriteIsRemoved) {
  std::ofstream(path() + ".new") << "half a rewr";
  EXPECT_EQ(Replayed().size(), 0u);
  EXPECT_FALSE(std::filesystem::exists(path() + ".new"));
}

// A child records and rewrites for ever and says how far it came; killed at
// any moment, it must have left at least that.
// Invariant (1) of Journal.
TEST_F(JournalTest, KilledAtAnyMomentNothingThatWasRecordedIsLost) {
  for (int round = 0; round < 20; ++round) {
    int said[2];
    ASSERT_EQ(::pipe2(said, O_CLOEXEC), 0);
    const UniqueFd reader(said[0]);
    UniqueFd writer(said[1]);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Objects objects;
      Journal journal = Open(&objects);
      uint64_t last = objects.empty() ? 0 : objects.rbegin()->first;
      for (;;) {
        ++last;
        const std::string id = std::to_string(last);
        if (!journal.RecordSealed(InfoOf(last, id), {})) ::_exit(1);
        if (last > 10 && !Remove(journal, last - 10)) ::_exit(1);
        if (::write(writer.get(), &last, 8) != 8) ::_exit(1);
        if (last % 7 != 0) continue;
        const uint64_t first = last > 9 ? last - 9 : 1;
        const Status rewritten =
            journal.Rewrite([&](const Journal::Visitor& visit) {
              for (uint64_t live = first; live <= last; ++live) {
                visit({InfoOf(live, std::to_string(live))});
              }
            });
        if (!rewritten) ::_exit(1);
      }
    }
    writer = UniqueFd();
    uint64_t last = 0;
    for (int step = 0; step < 50 + round; ++step) {
      ASSERT_EQ(::read(reader.get(), &last, 8), 8);
    }
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    while (::read(reader.get(), &last, 8) == 8) continue;
    const Objects objects = Replayed();
    EXPECT_LE(objects.size(), 11u);
    for (uint64_t live = last - 8; live <= last; ++live) {
      EXPECT_EQ(objects.count(live), 1u) << live;
    }
  }
}

// On a small tmpfs of this process's own.
class JournalOnFullTmpfsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
    mount_.emplace("tmpfs", "size=512k");
    if (!mount_->mounted() && std::getenv("CI") == nullptr) {
      GTEST_SKIP() << std::strerror(mount_->error());
    }
    ASSERT_TRUE(mount_->mounted()) << std::strerror(mount_->error());
  }
  // Another file takes all the memory that is left.
  void Fill() const {
    const UniqueFd fd(::open((mount_->path() + "/fill").c_str(),
                             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const std::string page(4096, 'x');
    while (::write(fd.get(), page.data(), page.size()) > 0) continue;
    EXPECT_EQ(errno, ENOSPC);
  }

  std::optional<ScratchMount> mount_;
};

// Invariant (2) of Journal.
TEST_F(JournalOnFullTmpfsTest, EveryLiveObjectCanBeRemovedWhenItIsFull) {
  Objects objects;
  const std::string path = mount_->path() + "/journal";
  Result<Journal> journal = TryOpen(path, &objects);
  ASSERT_TRUE(journal);
  ASSERT_TRUE(journal->RecordHold(1, true));  // Begins it.
  Fill();
  uint64_t sealed = 0;
  for (;; ++sealed) {
    const Status status = journal->RecordSealed(
        InfoOf(sealed, std::to_string(sealed)), {{"some", "metadata"}});
    if (status) continue;
    EXPECT_EQ(status.error().code, Code::kOutOfMemory);
    break;
  }
  ASSERT_GT(sealed, 10u);
  const uint64_t size_bytes = journal->size_bytes();
  EXPECT_FALSE(journal->Rewrite([&](const Journal::Visitor& visit) {
    for (uint64_t live = 0; live < sealed; ++live) {
      visit({InfoOf(live, std::to_string(live))});
    }
  }));
  EXPECT_EQ(journal->size_bytes(), size_bytes);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  journal = TryOpen(path, &objects);
  ASSERT_TRUE(journal);
  EXPECT_EQ(objects.size(), sealed);
  for (uint64_t live = 0; live < sealed; ++live) {
    ASSERT_TRUE(Remove(*journal, live)) << live << " of " << sealed;
  }
  journal = TryOpen(path, &objects);
  ASSERT_TRUE(journal);
  EXPECT_TRUE(objects.empty());
}

}  // namespace
}  // namespace vitrine::store
