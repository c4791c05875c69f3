#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/tools/command.h"
#include "client/tools/json_text.h"
#include "client/tools/owner_names.h"
#include "client/tools/table.h"
#include "client/tools/text.h"
#include "schema/base/account_names.h"
#include "schema/base/size.h"

namespace vitrine::tools {
namespace {

constexpr const char* kForm =
    "a quota is user:NAME:LIMITS or group:NAME:LIMITS";

std::string KindText(const Account& account) {
  return account.kind == Account::Kind::kUser ? "user" : "group";
}

std::string NameText(const Account& account, OwnerNames* names) {
  if (!account.id) return "*";
  return account.kind == Account::Kind::kUser ? names->User(*account.id)
                                              : names->Group(*account.id);
}

std::string AmountText(const std::string& resource, uint64_t amount) {
  return resource == "memory" ? FormatSize(amount) : std::to_string(amount);
}

// One row for each amount that is not nothing, used or limited.
void PrintAccounts(const std::vector<Account>& accounts) {
  OwnerNames names;
  Table table(
      {Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight, Align::kRight});
  table.Add({"", "", "", "USED", "LIMIT"});
  for (const Account& account : accounts) {
    for (const Account::Amount& amount : account.amounts) {
      if (amount.used == 0 && !amount.limit) continue;
      table.Add(
          {KindText(account), Printable(NameText(account, &names)),
           Printable(amount.resource),
           account.id ? AmountText(amount.resource, amount.used) : "-",
           amount.limit ? AmountText(amount.resource, *amount.limit) : "none"});
    }
  }
  Print(table.Text());
}

void PrintJson(const std::vector<Account>& accounts) {
  OwnerNames names;
  auto json = nlohmann::ordered_json::array();
  for (const Account& account : accounts) {
    auto entry = nlohmann::ordered_json::object();
    entry["kind"] = KindText(account);
    entry["name"] = NameText(account, &names);
    if (account.id) entry["id"] = *account.id;
    for (const Account::Amount& amount : account.amounts) {
      auto& of = entry[amount.resource];
      of["used"] = amount.used;
      of["limit"] = amount.limit ? nlohmann::ordered_json(*amount.limit)
                                 : nlohmann::ordered_json();
    }
    json.push_back(std::move(entry));
  }
  Print(Dump(json) + "\n");
}

int RunShow(const CommandLine& line, bool json) {
  int exit_code = kExitOk;
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  auto accounts = client->GetAccounts();
  if (!accounts) return Fail("quota", accounts.error());
  if (json) {
    PrintJson(*accounts);
  } else {
    PrintAccounts(*accounts);
  }
  return FinishOutput(kExitOk);
}

struct Party {
  Account::Kind kind = Account::Kind::kUser;
  std::optional<uint32_t> id;
};

// Names are looked up here: the store takes numbers only.
Result<std::optional<uint32_t>> FindId(Account::Kind kind,
                                       const std::string& name) {
  std::optional<uint32_t> id;
  if (name == "*") return id;
  uint32_t number = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data(), end, number);
  if (read.ec == std::errc() && read.ptr == end) return std::optional(number);
  id = kind == Account::Kind::kUser ? FindUser(name) : FindGroup(name);
  if (id) return id;
  return Error{Code::kNotFound, "there is no such user or group"};
}

Result<Party> ParseParty(const std::string& kind, const std::string& name) {
  Party party;
  if (kind == "group") {
    party.kind = Account::Kind::kGroup;
  } else if (kind != "user") {
    return Error{Code::kInvalidArgument, kForm};
  }
  auto id = FindId(party.kind, name);
  if (!id) return id.error();
  party.id = *id;
  return party;
}

int RunSet(const CommandLine& line, const std::string& quota) {
  const size_t first = quota.find(':');
  const size_t second =
      first == std::string::npos ? first : quota.find(':', first + 1);
  if (second == std::string::npos) return FailUsage("quota set", kForm);
  const auto party = ParseParty(quota.substr(0, first),
                                quota.substr(first + 1, second - first - 1));
  if (!party) return FailUsage("quota set " + quota, party.error().message);
  int exit_code = kExitOk;
  auto client = Connect(line, kPoll, &exit_code);
  if (!client) return exit_code;
  const Status set =
      client->SetQuota(party->kind, party->id, quota.substr(second + 1));
  if (!set) return Fail("quota set " + quota, set.error());
  Print("set until the store ends; to keep it, write 'quota = " +
        Printable(quota) + "' to its configuration file\n");
  return FinishOutput(kExitOk);
}

}  // namespace

void AddQuotaCommand(CLI::App* app, CommandLine* line) {
  auto json = std::make_shared<bool>(false);
  auto quota = std::make_shared<std::string>();
  CLI::App* command = app->add_subcommand(
      "quota",
      "Tell what users and groups have, and may have.\n"
      "\n"
      "Of each: memory, objects and so on, as far as there is any use or "
      "limit.\n"
      "A * stands for each that has no limit of its own.  Example:\n"
      "  vitrine quota set user:alice:memory=2G,objects=none");
  command->add_flag("--json", *json, "An array; limit null: none");
  CLI::App* set = command->add_subcommand(
      "set",
      "Set limits of a user or a group.\n"
      "\n"
      "By root and the store's user.  Limits that are not named stay.  They "
      "last\n"
      "until the store ends; its configuration file keeps them ('quota = "
      "...').\n"
      "Nobody loses what he has.");
  AddText(set, "QUOTA", quota.get(),
          "user:NAME:LIMITS or group:NAME:LIMITS, as for `vitrined --quota`")
      ->required();
  command->require_subcommand(0, 1);
  set->callback([=] { line->run = [=] { return RunSet(*line, *quota); }; });
  command->callback([=] {
    if (set->parsed()) return;
    line->run = [=] { return RunShow(*line, *json); };
  });
}

}  // namespace vitrine::tools
