// Converts tables of the control protocol to types of the library.
#ifndef VITRINE_CLIENT_CALLS_MESSAGES_H_
#define VITRINE_CLIENT_CALLS_MESSAGES_H_

#include <vitrine/client.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/calls/call_pool.h"
#include "schema/protocol.h"

namespace vitrine {

std::vector<std::unique_ptr<protocol::MetadataEntryT>> PackMetadata(
    const Metadata& metadata);

// The finished buffer of a MetadataList; empty without metadata.
std::vector<uint8_t> PackMetadataList(const Metadata& metadata);

// kCorruption: the reply is no valid metadata.
Result<Metadata> UnpackMetadata(const protocol::GetMetadataReply& reply);
Result<ObjectStat> UnpackStat(const protocol::ObjectInfo& info);
Result<Event> UnpackEvent(const protocol::Event& event);

// Asks the store.
Result<Metadata> AskForMetadata(CallPool& calls, const std::string& id);
Result<std::string> AskForStatus(CallPool& calls);
Result<std::vector<Account>> AskForAccounts(CallPool& calls);

}  // namespace vitrine

#endif  // VITRINE_CLIENT_CALLS_MESSAGES_H_
