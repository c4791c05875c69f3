// The store's messages as finished FlatBuffers (schema/protocol.fbs).
#ifndef VITRINE_STORE_SERVER_SERVER_MESSAGES_H_
#define VITRINE_STORE_SERVER_SERVER_MESSAGES_H_

#include <flatbuffers/flatbuffers.h>
#include <vitrine/metadata.h>
#include <vitrine/result.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schema/protocol.h"
#include "store/accounts/accounts.h"
#include "store/base/object.h"

namespace vitrine::store::server {

// Immutable; shared by all connections that get the same message.
using Message = std::shared_ptr<const flatbuffers::DetachedBuffer>;

struct Greeting {
  std::string token;  // Empty: not a session.
  std::string memory_dir;
  uint64_t page_bytes;
  std::string state_dir;
  uint64_t small_object_bytes;
};

Message FailureMessage(const Error& error);
Message DoneMessage();
Message HelloMessage(const Greeting& greeting);
Message CreateMessage(uint64_t number, bool recycled);
Message PutMessage();
Message OpenRingMessage();
Message BlanksMessage(const std::vector<uint64_t>& numbers);
Message OpenMessage(const ObjectInfo& info);
Message WaitMessage(const std::vector<protocol::WaitState>& states);
Message StatMessage(const ObjectInfo& info, bool in_use);
Message MetadataMessage(const Metadata& metadata);
Message ListMessage(const std::vector<ListedObject>& listed,
                    uint64_t next_after, bool done);
Message DeleteMessage(const std::vector<uint8_t>& codes);
Message EvictMessage(uint64_t bytes);
// Several if it is long and `in_parts`.
std::vector<Message> StatusMessages(std::string_view json, bool in_parts);
// Some of the accounts.
struct AccountsPage {
  std::vector<Accounts::Account> accounts = {};
  // The limits of each user and each group that has none of its own; on the
  // first page.
  std::vector<Accounts::Account> of_each = {};
  uint64_t next = 0;
};
Message AccountsMessage(const AccountsPage& page);
Message RecallMessage(std::span<const uint64_t> segments);
Message RecallBlanksMessage();
Message EventMessage(protocol::EventKind kind, const ObjectInfo& info,
                     int64_t time_ns);
// For kOverflow and kExistingDone, which have no object.
Message BareEventMessage(protocol::EventKind kind);

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_MESSAGES_H_
