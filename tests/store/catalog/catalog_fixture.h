// A catalog, a table that it may walk, and processes that look at its database.
#ifndef VITRINE_TESTS_STORE_CATALOG_CATALOG_FIXTURE_H_
#define VITRINE_TESTS_STORE_CATALOG_CATALOG_FIXTURE_H_

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
#include "store/catalog/catalog.h"
#include "store/metrics/status_json.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

inline constexpr uid_t kNobody = 65534;

// Runs `body` in a child, which is killed when it says its `number`th word.
inline void KillAtWord(
    int number, const std::function<void(const std::function<void()>&)>& body) {
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
inline int InChild(const std::function<int()>& body) {
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

  void Open(const CatalogLimits& limits = {}, mode_t mode = kCatalogMode) {
    catalog_.reset();
    catalog_ = Catalog::Open(dir_.path(), limits, mode);
    ASSERT_EQ(Problem(), "");
  }
  // What keeps a catalog that is opened now from being written.
  std::string OpenProblem() {
    catalog_.reset();
    catalog_ = Catalog::Open(dir_.path());
    return Problem();
  }
  std::string Problem() const { return StatusJson()["problem"]; }

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

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_CATALOG_CATALOG_FIXTURE_H_
