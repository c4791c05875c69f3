// Names that both ends of the control protocol share (see protocol.fbs).
#ifndef VITRINE_SCHEMA_PROTOCOL_H_
#define VITRINE_SCHEMA_PROTOCOL_H_

#include <cstddef>
#include <cstdint>

#include "protocol_generated.h"
#include "schema/packet_socket.h"

namespace vitrine {

inline constexpr uint32_t kProtocolVersion = 3;
inline constexpr size_t kMaxMessageBytes = 128 * 1024;
// The most data that a Put carries in its message.
inline constexpr size_t kMaxInlinePutBytes = 64 * 1024;
// The most ids in one Wait or Delete.
inline constexpr size_t kMaxIdsPerRequest = 256;
inline constexpr size_t kSessionTokenBytes = 16;
// Limits of blanks: the size of one, the number in one request, and the number
// that a session may have.
inline constexpr uint64_t kMaxBlankBytes = uint64_t{32} << 20;
inline constexpr size_t kMaxBlanksPerRequest = kMaxPacketDescriptors;
inline constexpr size_t kMaxBlanksOfSession = 64;

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_PROTOCOL_H_
