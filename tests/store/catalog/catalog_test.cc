#include "store/catalog/catalog.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "schema/migrations.h"
#include "schema/sqlite/database.h"
#include "schema/sqlite/transaction.h"
#include "store/metrics/status_json.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr uid_t kNobody = 65534;

// Runs `body` in a child, which is killed when it says its `number`th word.
void KillAtWord(int number,
                const std::function<void(const std::function<void()>&)>& body) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(60);
    body([&] { (void)!::write(ends[1], "", 1); });
    ::_exit(0);
  }
  ::close(ends[1]);
  char word = 0;
  for (int i = 0; i < number; ++i) EXPECT_EQ(::read(ends[0], &word, 1), 1);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  ::close(ends[0]);
}

// Runs `body` in a child; its answer.
int InChild(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A process that was there before any connection, as SQLite's must not cross a
// fork.  Runs `body` each time that it is asked to.
class Bystander {
 public:
  explicit Bystander(const std::function<char()>& body) {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) != 0)
      return;
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::close(ends_[0]);
    char byte = 0;
    while (::read(ends_[1], &byte, 1) == 1) {
      byte = body();
      if (::write(ends_[1], &byte, 1) != 1) break;
    }
    ::_exit(0);
  }
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;
  ~Bystander() {
    ::close(ends_[0]);
    ::close(ends_[1]);
    ::waitpid(pid_, nullptr, 0);
  }

  char Ask() const {
    char byte = '?';
    if (::write(ends_[0], &byte, 1) != 1) return 'w';
    if (::read(ends_[0], &byte, 1) != 1) return 'r';
    return byte;
  }

 private:
  int ends_[2] = {-1, -1};
  pid_t pid_ = -1;
};

// Objects that live, and who may ask for them.  As in the object table, an
// object changes and the catalog is told under one lock.
struct FakeTable {
  std::mutex mutex;
  std::map<uint64_t, ObjectInfo> objects;
  std::shared_future<void> go;  // Valid: pages wait for it.
};

class FakeWalk : public LiveObjects {
 public:
  explicit FakeWalk(FakeTable* table) : table_(table) {}
  size_t Count() override {
    const std::lock_guard lock(table_->mutex);
    return table_->objects.size();
  }
  bool ReadPage(uint64_t* place, std::vector<ObjectInfo>* infos) override {
    if (table_->go.valid()) table_->go.wait();
    const std::lock_guard lock(table_->mutex);
    auto next = table_->objects.lower_bound(*place);
    for (int i = 0; i < 10 && next != table_->objects.end(); ++i, ++next) {
      infos->push_back(next->second);
      *place = next->first + 1;
    }
    return next != table_->objects.end();
  }
  std::vector<bool> AreAlive(std::span<const KnownObject> known) override {
    const std::lock_guard lock(table_->mutex);
    std::vector<bool> alive;
    for (const KnownObject& object : known) {
      const auto found = table_->objects.find(object.number);
      alive.push_back(found != table_->objects.end() &&
                      found->second.id.text() == object.id);
    }
    return alive;
  }

 private:
  FakeTable* const table_;
};

class CatalogTest : public testing::Test {
 protected:
  std::string DbPath() const { return dir_.path() + "/catalog.db"; }

  void Open(const CatalogLimits& limits = {}) {
    catalog_.reset();
    auto catalog = Catalog::Open(dir_.path(), limits);
    ASSERT_TRUE(catalog) << catalog.error().ToString();
    catalog_ = *std::move(catalog);
  }

  Code OpenError(std::string* message = nullptr) {
    const auto catalog = Catalog::Open(dir_.path());
    EXPECT_FALSE(catalog);
    if (catalog) return Code{};
    if (message != nullptr) *message = catalog.error().message;
    return catalog.error().code;
  }

  static ObjectInfo Info(uint64_t number, const std::string& id,
                         ObjectState state = ObjectState::kSealed) {
    return ObjectInfo{.number = number,
                      .id = *ObjectId::FromText(id),
                      .state = state,
                      .size_bytes = 1000 + number,
                      .charged_bytes = 4096,
                      .mode = 0640,
                      .uid = 7,
                      .gid = 8,
                      .creator_pid = 9,
                      .created_ns = 10,
                      .modified_ns = 11,
                      .sealed_ns = state == ObjectState::kSealed ? 12 : 0,
                      .used_ns = 13,
                      .use_count = 14,
                      .hold = false};
  }

  void Tell(ObjectEventKind kind, const ObjectInfo& info) {
    catalog_->OnEvent({kind, info, info.id});
  }
  void Create(uint64_t number, const std::string& id) {
    Tell(ObjectEventKind::kCreated, Info(number, id, ObjectState::kUnsealed));
  }
  void Seal(uint64_t number, const std::string& id) {
    Tell(ObjectEventKind::kSealed, Info(number, id));
  }

  // The same in `table_`, which the catalog reconciles with.
  void SealInTable(uint64_t number) {
    const std::lock_guard lock(table_.mutex);
    const std::string id = "o" + std::to_string(number);
    table_.objects.insert_or_assign(number, Info(number, id));
    Seal(number, id);
  }
  void DeleteInTable(uint64_t number) {
    const std::lock_guard lock(table_.mutex);
    ObjectInfo info = table_.objects.at(number);
    info.state = ObjectState::kGone;
    table_.objects.erase(number);
    Tell(ObjectEventKind::kDeleted, info);
  }
  std::string LivingInTable() {
    std::string numbers;
    for (const auto& [number, info] : table_.objects) {
      numbers += (numbers.empty() ? "" : "\n") + std::to_string(number);
    }
    return numbers;
  }

  nlohmann::json StatusJson() const { return ToJson(catalog_->GetStatus()); }

  // Until all that was told is written.
  bool IsBehind() { return StatusJson()["behind"]; }
  void Settle() {
    ASSERT_TRUE(Eventually([this] { return StatusJson()["pending"] == 0; }))
        << StatusJson().dump();
  }

  // What a reader gets, as "a|b|c" with a line for each row.
  std::string Query(const std::string& sql) const {
    auto database =
        sqlite::Database::Open("file:" + DbPath() + "?mode=ro",
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    if (!database) return database.error().ToString();
    auto statement = database->Prepare(sql.c_str());
    if (!statement) return statement.error().ToString();
    const int columns = statement->columns();
    std::string result;
    for (;;) {
      const auto row = statement->Step();
      if (!row) return row.error().ToString();
      if (!*row) return result;
      if (!result.empty()) result += '\n';
      for (int column = 0; column < columns; ++column) {
        if (column > 0) result += '|';
        result += statement->Text(column);
      }
    }
  }

  // Another process that has the database open for writing.
  sqlite::Database Stranger() const {
    auto database = sqlite::Database::Open(DbPath(), SQLITE_OPEN_READWRITE);
    EXPECT_TRUE(database);
    return *std::move(database);
  }

  ScratchDir dir_;
  FakeTable table_;  // Outlives who asks it.
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, NewerVersionIsRefusedWithBothVersionsInTheMessage) {
  Open();
  catalog_.reset();
  ASSERT_TRUE(Stranger().Execute("PRAGMA user_version = 4711"));
  std::string message;
  EXPECT_EQ(OpenError(&message), Code::kVersionMismatch);
  EXPECT_NE(message.find("4711"), std::string::npos) << message;
  const std::string known = std::to_string(CatalogMigrations().size());
  EXPECT_NE(message.find("up to " + known), std::string::npos) << message;
}

TEST_F(CatalogTest, GarbageIsCorruptionAndStaysAsItIs) {
  const std::string garbage(100000, 'x');
  std::ofstream(DbPath()) << garbage;
  std::string message;
  EXPECT_EQ(OpenError(&message), Code::kCorruption);
  EXPECT_NE(message.find("move "), std::string::npos) << message;
  std::ifstream file(DbPath());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), garbage);
}

TEST_F(CatalogTest, DatabaseOfAnotherProgramIsRefused) {
  auto database = sqlite::Database::Open(
      DbPath(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->Execute("CREATE TABLE mine (a)"));
  *database = sqlite::Database();
  std::string message;
  EXPECT_EQ(OpenError(&message), Code::kCorruption);
  EXPECT_NE(message.find("not a catalog"), std::string::npos) << message;
}

TEST_F(CatalogTest, DamagedPagesAreCorruption) {
  Open();
  for (uint64_t i = 1; i <= 5000; ++i) Seal(i, "object-" + std::to_string(i));
  catalog_.reset();
  const auto size = std::filesystem::file_size(DbPath());
  {
    std::fstream file(DbPath(), std::ios::in | std::ios::out);
    file.seekp(4096);
    file << std::string(size - 4096, '\x5a');
  }
  auto catalog = Catalog::Open(dir_.path());
  const Status status =
      catalog ? (*catalog)->Reconcile({}) : Status(catalog.error());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kCorruption);
}

TEST_F(CatalogTest, MissingDirectoryIsAClearError) {
  const auto catalog = Catalog::Open(dir_.path() + "/none");
  ASSERT_FALSE(catalog);
  EXPECT_NE(catalog.error().message.find("No such file"), std::string::npos);
  EXPECT_NE(catalog.error().message.find("none/catalog.db"), std::string::npos);
}

TEST_F(CatalogTest, UnwritableDirectoryIsAClearError) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  const int answer = InChild([this] {
    if (::setresuid(kNobody, kNobody, kNobody) != 0) return 2;
    const auto catalog = Catalog::Open(dir_.path());
    if (catalog) return 3;
    return catalog.error().message.find("Permission denied") ==
                   std::string::npos
               ? 4
               : 0;
  });
  EXPECT_EQ(answer, 0);
}

TEST_F(CatalogTest, DirectoryInItsPlaceIsAClearError) {
  std::filesystem::create_directory(DbPath());
  EXPECT_EQ(OpenError(), Code::kIoError);
}

TEST_F(CatalogTest, LockedCatalogIsWrittenLater) {
  Open();
  sqlite::Database stranger = Stranger();
  {
    auto transaction = sqlite::Transaction::Begin(&stranger);
    ASSERT_TRUE(transaction);
    Seal(1, "a");
    ASSERT_TRUE(Eventually([this] { return StatusJson()["failed"] > 1; }));
    const nlohmann::json status = StatusJson();
    EXPECT_EQ(status["degraded"], true);
    EXPECT_GT(status["pending"], 0);
    EXPECT_GT(status["lag_ms"], 0);
    EXPECT_NE(status["last_error"], "");
  }
  Settle();
  EXPECT_EQ(Query("SELECT id, state FROM objects"), "a|sealed");
  EXPECT_EQ(StatusJson()["degraded"], false);
}

TEST_F(CatalogTest, NobodyWaitsForACatalogThatCannotBeWritten) {
  Open();
  sqlite::Database stranger = Stranger();
  auto transaction = sqlite::Transaction::Begin(&stranger);
  ASSERT_TRUE(transaction);
  for (int i = 0; i < 2; ++i) {
    Seal(1, "a");
    std::atomic<bool> done = false;
    catalog_->AfterPending([&] { done = true; });
    EXPECT_TRUE(Eventually([&] { return done.load(); }));
  }
}

// Invariant (2) of CatalogBatch.
TEST_F(CatalogTest, BatchNeverHasMoreObjectsThanItsLimit) {
  CatalogLimits limits;
  limits.pending_rows = 100;
  limits.history_rows = 50;
  CatalogBatch batch(limits);
  const auto add = [&batch](uint64_t number) {
    const ObjectInfo info = Info(number, "o" + std::to_string(number));
    batch.AddEvent({{ObjectEventKind::kSealed, info, info.id}, 1, 1}, true);
  };
  for (uint64_t i = 1; i <= 1000; ++i) {
    add(i);
    EXPECT_LE(batch.rows(), 150u);
    EXPECT_EQ(batch.overflowed(), i > 100);
  }
  EXPECT_TRUE(batch.objects().empty()) << "some would be worse than none";
  EXPECT_EQ(batch.dropped().objects, 100u);
  EXPECT_EQ(batch.dropped().events, 950u);
  batch.ForgetObjects();
  add(1);
  EXPECT_EQ(batch.objects().size(), 1u);
}

TEST_F(CatalogTest, AfterARushThatCannotBeWrittenExactlyTheLivingAreThere) {
  CatalogLimits limits;
  limits.pending_rows = 100;
  limits.history_rows = 50;
  Open(limits);
  catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  SealInTable(1);
  Settle();
  sqlite::Database stranger = Stranger();
  {
    auto transaction = sqlite::Transaction::Begin(&stranger);
    ASSERT_TRUE(transaction);
    for (uint64_t i = 2; i <= 20000; ++i) {
      SealInTable(i);
      if (i % 100 != 0) DeleteInTable(i);
    }
    DeleteInTable(1);
    const nlohmann::json status = StatusJson();
    EXPECT_EQ(status["degraded"], true) << status.dump();
    EXPECT_EQ(status["behind"], true);
    EXPECT_GT(status["times_behind"], 0);
    EXPECT_GT(status["dropped"]["events"], 39000);
    EXPECT_LE(status["pending"], 400) << status.dump();
    EXPECT_TRUE(Eventually([this] { return StatusJson()["lag_ms"] > 0; }));
  }
  Settle();
  EXPECT_EQ(Query("SELECT number FROM sealed"), LivingInTable());
  EXPECT_EQ(Query("SELECT number FROM objects WHERE gone_ns IS NULL"),
            LivingInTable());
  EXPECT_EQ(Query("SELECT state, gone_reason FROM objects WHERE number = 1"),
            "lost|went while the catalog was behind");
  const nlohmann::json status = StatusJson();
  EXPECT_EQ(status["degraded"], false) << status.dump();
  EXPECT_EQ(status["lag_ms"], 0);
  DeleteInTable(100);
  Settle();
  EXPECT_EQ(Query("SELECT state FROM objects WHERE number = 100"), "deleted");
}

TEST_F(CatalogTest, RushesDuringAReconcileAreReconciledToo) {
  CatalogLimits limits;
  limits.pending_rows = 64;
  limits.history_rows = 64;
  Open(limits);
  catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  uint64_t number = 0;
  for (int rush = 0; rush < 30; ++rush) {
    for (int i = 0; i < 1000; ++i) {
      SealInTable(++number);
      if (i % 3 == 0) DeleteInTable(number);
      if (i % 7 == 0 && number > 500 && table_.objects.contains(number - 500)) {
        DeleteInTable(number - 500);
      }
    }
    // It begins to reconcile, and the next one comes.
    if (rush % 2 == 0) {
      EXPECT_TRUE(Eventually([this] { return !IsBehind(); }));
    }
  }
  Settle();
  EXPECT_GT(StatusJson()["times_behind"], 1);
  EXPECT_EQ(Query("SELECT number FROM sealed"), LivingInTable());
}

TEST_F(CatalogTest, KilledWhileItIsBehindLeavesAWholeDatabase) {
  for (int round = 0; round < 5; ++round) {
    KillAtWord(1 + round, [this](const auto& say) {
      CatalogLimits limits;
      limits.pending_rows = 100;
      Open(limits);
      catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
      for (uint64_t i = 1;; ++i) {
        SealInTable(i % 10000 + 1);
        if (i % 10000 == 0 && IsBehind()) say();
      }
    });
    EXPECT_EQ(Query("PRAGMA integrity_check"), "ok");
    Open();
    EXPECT_TRUE(catalog_->Reconcile({Info(5, "o5")}));
    catalog_.reset();
    EXPECT_EQ(Query("SELECT number FROM sealed"), "5");
  }
}

TEST_F(CatalogTest, FullDiskIsToldAndOvercome) {
  const ScratchMount mount("tmpfs", "size=2m");
  if (!mount.mounted()) GTEST_SKIP() << "cannot mount a tmpfs";
  auto catalog = Catalog::Open(mount.path());
  ASSERT_TRUE(catalog) << catalog.error().ToString();
  const std::string filler = mount.path() + "/filler";
  std::ofstream(filler) << std::string(4 << 20, 'x');
  uint64_t number = 0;
  ASSERT_TRUE(Eventually([&] {
    for (int i = 0; i < 20; ++i) {
      ++number;
      const ObjectInfo info = Info(number, std::string(200, 'n'));
      (*catalog)->OnEvent({ObjectEventKind::kSealed, info, info.id});
    }
    return ToJson((*catalog)->GetStatus())["failed"] > 0;
  }));
  const std::string error = ToJson((*catalog)->GetStatus())["last_error"];
  EXPECT_NE(error.find("full"), std::string::npos) << error;
  std::filesystem::remove(filler);
  EXPECT_TRUE(Eventually([&] {
    return ToJson((*catalog)->GetStatus())["pending"] == 0;
  })) << ToJson((*catalog)->GetStatus()).dump();
  EXPECT_EQ(ToJson((*catalog)->GetStatus())["degraded"], false);
  catalog->reset();
  auto database = sqlite::Database::Open(mount.path() + "/catalog.db",
                                         SQLITE_OPEN_READWRITE);
  ASSERT_TRUE(database);
  EXPECT_EQ(*database->QueryInteger("SELECT count(*) FROM sealed"),
            static_cast<int64_t>(number));
}

TEST_F(CatalogTest, DeletedCatalogComesBackWhole) {
  Open();
  Seal(1, "before");
  Settle();
  for (const char* suffix : {"", "-shm"}) {
    ASSERT_TRUE(std::filesystem::remove(DbPath() + suffix));
  }
  Seal(2, "after");
  Settle();
  EXPECT_EQ(Query("SELECT group_concat(id) FROM sealed"), "before,after");
  struct stat info;
  ASSERT_EQ(::stat(DbPath().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
  catalog_.reset();
  Open();
  EXPECT_EQ(Query("SELECT group_concat(id) FROM sealed"), "before,after");
}

TEST_F(CatalogTest, ReaderThatNeverEndsDoesNotGrowTheLogForEver) {
  CatalogLimits limits;
  limits.wal_bytes = 1 << 20;
  Open(limits);
  Seal(1, "first");
  Settle();
  sqlite::Database reader = Stranger();
  ASSERT_TRUE(reader.Execute("BEGIN; SELECT * FROM objects"));
  uint64_t number = 2;
  nlohmann::json status;
  ASSERT_TRUE(Eventually([&] {
    status = StatusJson();
    for (int i = 0; i < 500 && status["pending"] == 0; ++i, ++number) {
      Seal(number, "object-" + std::to_string(number));
    }
    return status["failed"] > 0;
  }));
  EXPECT_EQ(status["degraded"], true);
  const std::string error = status["last_error"];
  EXPECT_NE(error.find("write-ahead log"), std::string::npos) << error;
  EXPECT_EQ(*reader.QueryInteger("SELECT count(*) FROM objects"), 1);
  ASSERT_TRUE(reader.Execute("COMMIT"));
  Settle();
  EXPECT_EQ(Query("SELECT count(*) FROM sealed"), std::to_string(number - 1));
  EXPECT_LT(std::filesystem::file_size(DbPath() + "-wal"), 16u << 20);
}

// Invariant (1) of CatalogWriter.
TEST_F(CatalogTest, KilledWhileWritingLeavesAWholeDatabase) {
  for (int round = 0; round < 5; ++round) {
    // At a commit, while there is more to write.
    KillAtWord(3 + round, [this](const auto& say) {
      Open();
      for (uint64_t i = 1;; ++i) {
        Seal(i, "o" + std::to_string(i));
        if (i % 1000 == 0) catalog_->AfterPending(say);
        if (i % 5000 == 0) Settle();
      }
    });
    EXPECT_EQ(Query("PRAGMA integrity_check"), "ok");
    Open();
    EXPECT_TRUE(catalog_->Reconcile({}));
    catalog_.reset();
  }
}

TEST_F(CatalogTest, ReconcileMarksWhatIsNotThereAsLost) {
  Open();
  catalog_->ClientConnected(1, "c", 2, 3);
  for (uint64_t i = 1; i <= 4; ++i) Seal(i, "o" + std::to_string(i));
  Create(5, "unsealed");
  Tell(ObjectEventKind::kDeleted, Info(4, "o4", ObjectState::kGone));
  Settle();
  Open();
  ObjectInfo unknown = Info(9, "written-too-late");
  unknown.hold = true;
  const std::vector<ObjectInfo> live = {Info(1, "o1"), Info(3, "o3"), unknown};
  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(catalog_->Reconcile(live));
    EXPECT_EQ(Query("SELECT number, id, state, hold FROM objects"),
              "1|o1|sealed|0\n2|o2|lost|0\n3|o3|sealed|0\n4|o4|deleted|0\n"
              "5|unsealed|aborted|0\n9|written-too-late|sealed|1");
    EXPECT_EQ(Query("SELECT kind, object FROM events WHERE reason IS NOT NULL"),
              "lost|2\naborted|5");
  }
  EXPECT_EQ(Query("SELECT count(*) FROM objects WHERE gone_ns IS NULL"
                  " AND tier IS NOT 'memory'"),
            "0");
  EXPECT_EQ(Query("SELECT disconnected_ns IS NULL FROM clients"), "0");
  Seal(10, "later");
  Settle();
  EXPECT_EQ(Query("SELECT kind, object FROM events ORDER BY sequence DESC"
                  " LIMIT 1"),
            "sealed|10");
}

// Invariant of CatalogReconcile.
TEST_F(CatalogTest, ReconcilingLaterComesBeforeWhatIsToldMeanwhile) {
  Open();
  Seal(1, "lost");
  Seal(2, "kept");
  Settle();
  Open();
  std::promise<void> go;
  table_.go = go.get_future().share();
  table_.objects.emplace(2, Info(2, "kept"));
  table_.objects.emplace(3, Info(3, "unknown"));
  catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table_));
  EXPECT_EQ(StatusJson()["reconciling"], 2);
  EXPECT_GE(StatusJson()["pending"], 2);
  DeleteInTable(3);
  SealInTable(4);
  EXPECT_EQ(Query("SELECT count(*) FROM objects"), "2");
  go.set_value();
  Settle();
  EXPECT_EQ(StatusJson()["reconciling"], 0);
  EXPECT_EQ(Query("SELECT number, id, state FROM objects"),
            "1|lost|lost\n2|kept|sealed\n3|unknown|deleted\n4|o4|sealed");
}

TEST_F(CatalogTest, AReconcileThatWasDroppedAsksNobodyAnyMore) {
  Open();
  {
    FakeTable table;
    table.objects.emplace(1, Info(1, "o"));
    catalog_->ReconcileLater(std::make_unique<FakeWalk>(&table));
    catalog_->DropReconcile();
  }
  Seal(2, "later");
  Settle();
  EXPECT_EQ(StatusJson()["reconciling"], 0);
}

TEST_F(CatalogTest, OfManyLostOnesTheNewestAreKnown) {
  CatalogLimits limits;
  limits.history_rows = 20;
  Open(limits);
  for (uint64_t i = 1; i <= 100; ++i) Seal(i, "o" + std::to_string(i));
  ASSERT_TRUE(catalog_->Reconcile({Info(1, "o1")}));
  EXPECT_EQ(Query("SELECT count(*), min(number), max(number) FROM gone"),
            "20|81|100");
  EXPECT_EQ(Query("SELECT id FROM sealed"), "o1");
  EXPECT_EQ(Query("SELECT count(*), min(kind) FROM events"), "20|lost");
}

TEST_F(CatalogTest, NumberUsedAgainReplacesTheHistoryOfTheOldOne) {
  Open();
  Seal(1, "old");
  ASSERT_TRUE(catalog_->Reconcile({}));
  Create(1, "new");
  Settle();
  EXPECT_EQ(Query("SELECT id, state, gone_ns, gone_reason FROM objects"),
            "new|unsealed||");
}

TEST_F(CatalogTest, HistoryIsBounded) {
  CatalogLimits limits;
  limits.history_rows = 100;
  Open(limits);
  for (uint64_t i = 1; i <= 1000; ++i) {
    const std::string id = "o" + std::to_string(i);
    Seal(i, id);
    if (i % 50 == 0) Settle();
    Tell(ObjectEventKind::kEvicted, Info(i, id, ObjectState::kGone));
    catalog_->ClientConnected(i, "c", 1, 2);
    catalog_->ClientDisconnected(i);
  }
  Seal(5000, "stays");
  Settle();
  for (const char* table : {"events", "gone", "clients"}) {
    const std::string sql = std::string("SELECT count(*) FROM ") + table;
    EXPECT_GE(std::stoi(Query(sql)), 90) << table;
    EXPECT_LE(std::stoi(Query(sql)), 105) << table;
  }
  EXPECT_EQ(Query("SELECT max(number) FROM gone"), "1000");
  EXPECT_EQ(Query("SELECT id FROM sealed"), "stays");
}

// Invariant (2) of CatalogWriter.
TEST_F(CatalogTest, AnybodyMayReadItAtAnyTime) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  const mode_t umask_before = ::umask(0077);
  const Bystander nobody([this] {
    if (::getuid() == 0 && ::setresgid(kNobody, kNobody, kNobody) != 0) {
      return 'g';
    }
    if (::setresuid(kNobody, kNobody, kNobody) != 0) {
      return 'u';
    }
    return Query("SELECT id FROM sealed") == "a" ? 'y' : 'n';
  });
  Open();
  Seal(1, "a");
  Settle();
  EXPECT_EQ(nobody.Ask(), 'y') << "while it runs";
  catalog_.reset();
  EXPECT_EQ(nobody.Ask(), 'y') << "after a clean stop";
  const int killed = InChild([this] {
    const auto catalog = Catalog::Open(dir_.path());
    if (!catalog) return 1;
    std::atomic<bool> done = false;
    const ObjectInfo info = Info(2, "b", ObjectState::kUnsealed);
    (*catalog)->OnEvent({ObjectEventKind::kCreated, info, info.id});
    (*catalog)->AfterPending([&] {
      done = true;
      done.notify_all();
    });
    done.wait(false);
    ::_exit(0);  // With no destructor.
  });
  EXPECT_EQ(killed, 0);
  EXPECT_EQ(nobody.Ask(), 'y') << "after a crash";
  ::umask(umask_before);
}

TEST_F(CatalogTest, DestructionWritesEverything) {
  Open();
  for (uint64_t i = 1; i <= 3000; ++i) Seal(i, "o" + std::to_string(i));
  catalog_.reset();
  EXPECT_EQ(Query("SELECT count(*) FROM sealed"), "3000");
  EXPECT_EQ(std::filesystem::file_size(DbPath() + "-wal"), 0u);
}

TEST_F(CatalogTest, AfterPendingRunsOnceItIsCommitted) {
  Open();
  int calls = 0;
  catalog_->AfterPending([&] { ++calls; });
  EXPECT_EQ(calls, 1) << "nothing is pending";
  std::atomic<int> later = 0;
  std::string seen;
  Seal(1, "a");
  catalog_->AfterPending([&] {
    seen = Query("SELECT id FROM sealed");
    ++later;
  });
  ASSERT_TRUE(Eventually([&] { return later == 1; }));
  EXPECT_EQ(seen, "a");
}

TEST_F(CatalogTest, ObjectsAreTrackedFromCreationToDeletion) {
  Open();
  Create(1, "draft");
  Settle();
  EXPECT_EQ(Query("SELECT id, mode FROM unsealed"), "draft|0640");
  EXPECT_EQ(Query("SELECT sealed_ns IS NULL FROM objects"), "1");
  ObjectInfo info = Info(1, "draft2", ObjectState::kUnsealed);
  catalog_->OnEvent(
      {ObjectEventKind::kRenamed, info, *ObjectId::FromText("draft")});
  Settle();
  EXPECT_EQ(Query("SELECT id FROM unsealed"), "draft2");
  info = Info(1, "final");
  catalog_->OnEvent(
      {ObjectEventKind::kSealed, info, *ObjectId::FromText("draft2")});
  Settle();
  EXPECT_EQ(Query("SELECT number, id, size_bytes, charged_bytes, tier, segment,"
                  " mode, uid, gid, creator_pid, created_ns, sealed_ns,"
                  " used_ns, use_count, hold FROM sealed"),
            "1|final|1001|4096|memory|1|0640|7|8|9|10|12|13|14|0");
  info.hold = true;
  Tell(ObjectEventKind::kHoldChanged, info);
  Settle();
  EXPECT_EQ(Query("SELECT hold FROM sealed"), "1");
  EXPECT_EQ(Query("SELECT count(*) FROM eviction_order"), "0");
  info.state = ObjectState::kGone;
  Tell(ObjectEventKind::kDeleted, info);
  Settle();
  EXPECT_EQ(Query("SELECT id, state, gone_ns > 0, gone_reason FROM gone"),
            "final|deleted|1|deleted by its owner or root");
  EXPECT_EQ(Query("SELECT kind, id, reason FROM log"),
            "created|draft|\nrenamed|draft2|was draft\n"
            "sealed|final|was draft2\nheld|final|\ndeleted|final|");
}

TEST_F(CatalogTest, UsesAreRecordedButRaiseNobodyFromTheDead) {
  Open();
  Seal(1, "a");
  Seal(2, "b");
  Tell(ObjectEventKind::kEvicted, Info(2, "b", ObjectState::kGone));
  ObjectInfo a = Info(1, "a");
  ObjectInfo b = Info(2, "b");
  a.used_ns = b.used_ns = 1000;
  a.use_count = b.use_count = 99;
  catalog_->RecordUses({a, b});
  Settle();
  EXPECT_EQ(Query("SELECT id, used_ns, use_count FROM sealed"), "a|1000|99");
  EXPECT_EQ(Query("SELECT id, use_count FROM gone"), "b|14");
}

TEST_F(CatalogTest, ClientsComeAndGo) {
  Open();
  catalog_->ClientConnected(1, "one", 11, 21);
  catalog_->ClientConnected(2, "two", 12, 22);
  Settle();
  catalog_->ClientDisconnected(1);
  catalog_->ClientDisconnected(77);  // Nobody knows it.
  Settle();
  EXPECT_EQ(Query("SELECT id, name, pid, uid, disconnected_ns IS NULL"
                  " FROM clients"),
            "1|one|11|21|0\n2|two|12|22|1");
}

TEST_F(CatalogTest, OddIdsComeBackAsTheyWere) {
  Open();
  const std::string odd = "\xff\xfe'; DROP TABLE objects; --\n";
  Seal(1, odd);
  Settle();
  EXPECT_EQ(Query("SELECT id FROM sealed"), odd);
}

TEST_F(CatalogTest, EventsOfManyThreadsAllArrive) {
  Open();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (uint64_t i = 1; i <= 2000; ++i) {
        const uint64_t number = t * 10000 + i;
        Create(number, "o" + std::to_string(number));
        Seal(number, "o" + std::to_string(number));
        if (i % 500 == 0) (void)StatusJson();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Settle();
  EXPECT_EQ(Query("SELECT count(*) FROM sealed"), "8000");
  EXPECT_EQ(Query("SELECT count(*), max(sequence) FROM events"), "16000|16000");
}

TEST_F(CatalogTest, ViewsCanBeRead) {
  Open();
  Seal(1, "a");
  Settle();
  for (const char* view :
       {"sealed", "unsealed", "gone", "eviction_order", "log"}) {
    EXPECT_EQ(Query(std::string("SELECT 1 FROM ") + view + " LIMIT 0"), "")
        << view;
  }
  EXPECT_EQ(Query("SELECT * FROM usage"), "7|sealed|1|1001|4096|0");
}

}  // namespace
}  // namespace vitrine::store
