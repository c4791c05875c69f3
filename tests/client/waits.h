#ifndef VITRINE_TESTS_CLIENT_WAITS_H_
#define VITRINE_TESTS_CLIENT_WAITS_H_

#include <vitrine/client.h>

#include <nlohmann/json.hpp>

#include "tests/support/eventually.h"

namespace vitrine {

// True once somebody waits for objects: on the index, in the server, or for
// events, as those who want many do.  `client` is anybody's.
inline bool SomebodyWaits(Client* client) {
  return Eventually([client] {
    const auto status = client->GetStatus();
    if (!status) return false;
    const auto server = nlohmann::json::parse(*status)["server"];
    return server["waits"] > 0 || server["subscriptions"] > 0;
  });
}

}  // namespace vitrine

#endif  // VITRINE_TESTS_CLIENT_WAITS_H_
