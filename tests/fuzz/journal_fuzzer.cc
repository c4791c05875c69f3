// The journal, with any bytes and any records, and with damage in the middle of
// a sound one.
//
// Properties: what is restored is consistent, and of a sound journal it is what
// was recorded; a journal that was opened once takes records, loses nothing
// more, and is sound after a rewrite.
#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/journal/journal.h"
#include "store/journal/journal_frame.h"
#include "tests/fuzz/input.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::fuzz {
namespace {

using store::Journal;
using store::JournalContents;
using store::JournaledObject;
using store::ObjectInfo;

constexpr uint64_t kKey = 4711;

// All of an object that a journal has to keep; without the hold, whose record
// may be the damaged one.
std::string Describe(const JournaledObject& object) {
  const ObjectInfo& info = object.info;
  std::string text = info.id.text();
  for (const uint64_t value :
       {info.number, info.size_bytes, info.charged_bytes, uint64_t{info.mode},
        uint64_t{info.uid}, uint64_t{info.gid},
        static_cast<uint64_t>(info.creator_pid),
        static_cast<uint64_t>(info.created_ns),
        static_cast<uint64_t>(info.modified_ns),
        static_cast<uint64_t>(info.sealed_ns),
        static_cast<uint64_t>(info.used_ns), info.use_count, info.slab,
        info.offset_bytes, uint64_t{info.elsewhere}}) {
    text += '|' + std::to_string(value);
  }
  for (const auto& [name, value] : store::MetadataOf(object.metadata)) {
    text += '|' + name + '=' + value;
  }
  return text;
}

std::set<std::string> DescribeAll(const JournalContents& contents) {
  std::set<std::string> texts;
  for (const auto& object : contents.objects) texts.insert(Describe(object));
  return texts;
}

void CheckConsistent(const JournalContents& contents) {
  std::set<uint64_t> numbers;
  std::set<std::string> ids;
  for (const JournaledObject& object : contents.objects) {
    FUZZ_CHECK(numbers.insert(object.info.number).second);
    FUZZ_CHECK(ids.insert(object.info.id.text()).second);
    FUZZ_CHECK(object.info.number <= contents.highest_number);
    FUZZ_CHECK(object.info.state == store::ObjectState::kSealed);
    FUZZ_OK(CheckMetadata(store::MetadataOf(object.metadata)));
  }
}

JournaledObject TakeObject(Input* input, uint64_t number) {
  ObjectInfo info{.number = number,
                  .id = *ObjectId::FromText(
                      std::string(1, static_cast<char>('a' + number % 26))),
                  .state = store::ObjectState::kSealed,
                  .size_bytes = input->Wild(),
                  .mode = 0644,
                  .uid = input->Byte(),
                  .used_ns = 1};
  info.created_ns = info.modified_ns = info.sealed_ns = info.used_ns;
  info.charged_bytes = info.size_bytes;
  if (input->Flag()) {
    info.slab = 1;
    info.offset_bytes = input->Wild();
  }
  Metadata metadata;
  if (input->Byte() < 0x40) metadata["name"] = input->Text();
  return {info, store::ShareMetadata(metadata)};
}

class JournalFile {
 public:
  std::string path() const { return dir_.path() + "/journal"; }

  void Write(const std::string& bytes) const {
    const UniqueFd fd(
        ::open(path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    FUZZ_CHECK(::write(fd.get(), bytes.data(), bytes.size()) ==
               static_cast<ssize_t>(bytes.size()));
  }
  std::string Read() const {
    const UniqueFd fd(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
    std::string bytes(1 << 20, '\0');
    const ssize_t size = ::read(fd.get(), bytes.data(), bytes.size());
    FUZZ_CHECK(size >= 0);
    bytes.resize(static_cast<size_t>(size));
    return bytes;
  }
  Journal Open(JournalContents* contents) const {
    auto journal = Journal::Open(path(), contents);
    FUZZ_OK(journal);
    CheckConsistent(*contents);
    return *std::move(journal);
  }

 private:
  ScratchDir dir_;
};

// Records what the input says; everything that ever was sealed.
std::set<std::string> Record(Input* input, Journal* journal) {
  std::set<std::string> sealed;
  std::vector<JournaledObject> objects;
  for (uint64_t number = 2 + input->Byte() % 12; number > 1; --number) {
    objects.push_back(TakeObject(input, number));
    sealed.insert(Describe(objects.back()));
    if (objects.back().info.in_slab()) {
      FUZZ_OK(journal->RecordSealedInSlabs(std::span(&objects.back(), 1)));
    } else {
      FUZZ_OK(journal->RecordSealed(
          objects.back().info, store::MetadataOf(objects.back().metadata)));
    }
    JournaledObject& any = objects[input->Byte() % objects.size()];
    const uint64_t other = any.info.number;
    if (input->Byte() < 0x40) FUZZ_OK(journal->RecordHold(other, true));
    if (input->Byte() < 0x40) {
      FUZZ_OK(journal->RecordRemoved({{&other, 1}, 0, 1}));
    }
    if (input->Byte() < 0x40) {
      FUZZ_OK(journal->RecordDeparted({&other, 1}));
      JournaledObject departed = any;
      MarkElsewhere(&departed.info);
      sealed.insert(Describe(departed));
      if (input->Byte() < 0x40) FUZZ_OK(journal->RecordReturned(any));
    }
  }
  return sealed;
}

// Opens it twice more: after a record, and after a rewrite.
void ExpectStillWorks(const JournalFile& file, Journal journal,
                      const JournalContents& before) {
  // Such a number never comes out of the store's own counter.
  if (before.highest_number == UINT64_MAX) return;
  Input nothing(nullptr, 0);
  JournaledObject added = TakeObject(&nothing, before.highest_number + 1);
  added.info.id = *ObjectId::FromText("the one that is added");
  FUZZ_OK(journal.RecordSealed(added.info, store::MetadataOf(added.metadata)));
  JournalContents after;
  Journal again = file.Open(&after);
  std::set<std::string> expected = DescribeAll(before);
  std::erase_if(expected, [&added](const std::string& text) {
    return text.starts_with(added.info.id.text() + '|');
  });
  expected.insert(Describe(added));
  FUZZ_CHECK(DescribeAll(after) == expected);
  FUZZ_OK(again.Rewrite([&after](const Journal::Visitor& visit) {
    for (const auto& object : after.objects) visit(object);
  }));
  JournalContents last;
  file.Open(&last);
  FUZZ_CHECK(DescribeAll(last) == expected);
  FUZZ_CHECK(last.damage.bytes == 0 && !last.unreadable);
}

// Any pieces: records with any payload, and any bytes between them.
void FuzzAny(Input* input, const JournalFile& file) {
  std::string bytes = input->Byte() < 8 ? "" : store::EncodeHead(kKey);
  while (!input->at_end()) {
    const uint8_t kind = input->Byte();
    const std::string piece = input->Text(4000);
    if (kind < 0x20) {
      bytes += piece;
    } else {
      store::AppendFramed(piece, kKey, &bytes);
    }
    if (kind == 0xff) bytes.resize(bytes.size() - bytes.size() % 64);
  }
  file.Write(bytes);
  JournalContents contents;
  Journal journal = file.Open(&contents);
  ExpectStillWorks(file, std::move(journal), contents);
}

// Its key is drawn anew each time, so no input can make a record of its own.
void FuzzDamage(Input* input, const JournalFile& file) {
  file.Write("");
  JournalContents contents;
  std::set<std::string> sealed;
  {
    Journal journal = file.Open(&contents);
    sealed = Record(input, &journal);
  }
  std::string bytes = file.Read();
  std::string records = bytes.substr(store::kHeadBytes);
  Damage(input, &records);
  if (input->Byte() == 1) bytes[input->Byte() % (store::kHeadBytes / 2)] ^= 4;
  file.Write(bytes.substr(0, store::kHeadBytes) + records);
  Journal journal = file.Open(&contents);
  for (const std::string& text : DescribeAll(contents)) {
    FUZZ_CHECK(sealed.contains(text));
  }
  ExpectStillWorks(file, std::move(journal), contents);
}

// A payload that is understood means the same when it is written again.
void FuzzPayload(Input* input) {
  const auto record = store::DecodeRecord(input->Rest());
  if (!record) return;
  const auto* objects = std::get_if<std::vector<JournaledObject>>(&*record);
  if (objects == nullptr || objects->empty()) return;
  const auto& first = objects->front();
  auto payload =
      first.info.in_slab()
          ? store::EncodeSealedInSlab(*objects)
          : store::EncodeSealed(first.info, store::MetadataOf(first.metadata));
  FUZZ_OK(payload);
  const auto again = store::DecodeRecord(*payload);
  FUZZ_OK(again);
  const auto& decoded = std::get<std::vector<JournaledObject>>(*again);
  FUZZ_CHECK(decoded.size() == objects->size());
  for (size_t i = 0; i < decoded.size(); ++i) {
    FUZZ_CHECK(Describe(decoded[i]) == Describe((*objects)[i]));
    FUZZ_CHECK(decoded[i].info.hold == (*objects)[i].info.hold);
  }
}

}  // namespace
}  // namespace vitrine::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vitrine::fuzz;  // NOLINT: the names above.
  static const JournalFile file;
  Input input(data, size);
  switch (input.Byte() % 3) {
    case 0:
      FuzzAny(&input, file);
      break;
    case 1:
      FuzzDamage(&input, file);
      break;
    default:
      FuzzPayload(&input);
  }
  return 0;
}
