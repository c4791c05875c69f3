// Node ids: the numbers by which the kernel names files under the mount.
#ifndef VITRINE_FUSEFS_FILES_NODE_ID_H_
#define VITRINE_FUSEFS_FILES_NODE_ID_H_

#include <cstdint>

namespace vitrine::fusefs {

// The nodes that always exist; all others have greater numbers.
inline constexpr uint64_t kRootNode = 1;
inline constexpr uint64_t kUnsealedDir = 2;
inline constexpr uint64_t kSealedDir = 3;
inline constexpr uint64_t kWaitDir = 4;
inline constexpr uint64_t kDirectDir = 5;
inline constexpr uint64_t kInfoDir = 6;
inline constexpr uint64_t kStatusFile = 7;

enum class NodeKind : uint8_t {
  kObject = 0,  // An object, sealed or not: the seal keeps the node.
  kDirect = 1,  // The symbolic link to an object's segment.
  kWait = 2,    // A name under wait/ that was not sealed when looked up.
  kFixed = 7,
};

constexpr uint64_t MakeNode(NodeKind kind, uint64_t number) {
  return ((number + 1) << 3) | static_cast<uint64_t>(kind);
}
constexpr uint64_t ObjectNode(uint64_t number) {
  return MakeNode(NodeKind::kObject, number);
}
constexpr uint64_t DirectNode(uint64_t number) {
  return MakeNode(NodeKind::kDirect, number);
}
constexpr NodeKind KindOf(uint64_t node) {
  return node < 8 ? NodeKind::kFixed : static_cast<NodeKind>(node & 7);
}

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_NODE_ID_H_
