#ifndef VITRINE_STORE_SERVER_SERVER_CORE_H_
#define VITRINE_STORE_SERVER_SERVER_CORE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "schema/protocol.h"
#include "store/base/access.h"
#include "store/base/worker_pool.h"
#include "store/catalog/catalog.h"
#include "store/server/server_acceptor.h"
#include "store/server/server_connection.h"
#include "store/server/server_events.h"
#include "store/server/server_loop.h"
#include "store/server/server_requests.h"
#include "store/server/server_sessions.h"
#include "store/server/server_stats.h"
#include "store/server/server_subscriptions.h"
#include "store/server/server_waits.h"
#include "store/server/submissions.h"
#include "store/store.h"

namespace vitrine::store::server {

// The life of every connection:
//
//   accepted --Hello--> session, call or events --(either end)--> closed
//       `--no Hello in time, or anything else first--> closed
//
// A message that the protocol does not allow is answered with a Failure and
// ends the connection.
//
// On the loop's thread only.  Its parts must outlive it, and its workers must
// be shut down before it is destroyed.
class ServerCore {
 public:
  struct Parts {
    Store* store;
    Catalog* catalog;  // May be null.
    std::shared_ptr<EventLoop> loop;
    WorkerPool* workers;
    Submissions* submissions;
    ServerStats* stats;
    Access access = {};
  };
  ServerCore(Parts parts, ListeningSocket listener);
  ServerCore(const ServerCore&) = delete;
  ServerCore& operator=(const ServerCore&) = delete;

  Status Start() { return acceptor_.Start(); }
  void OnStoreEvents(const EventQueue::Taken& taken);
  // Ends all connections, and accepts no more.
  void CloseAll();
  const std::string& path() const { return acceptor_.path(); }

 private:
  void OnAccepted(UniqueFd socket, Credentials peer);
  void OnEvents(uint64_t id, uint32_t events);
  void Read(Connection* connection);
  void OnPacket(Connection* connection, std::span<const uint8_t> bytes);
  void Close(uint64_t id);
  // What its role left, ends.
  void EndRole(uint64_t id, Connection* connection);
  void EndCall(uint64_t id, Connection* connection);
  void CloseSession(uint64_t id);
  // The peer broke the protocol.
  void Violation(Connection* connection, const Error& error);
  void Refuse(Connection* connection, const Error& error);

  void OnHello(Connection* connection, const protocol::Hello& hello);
  void OpenSession(Connection* connection, const protocol::Hello& hello);
  void OpenCall(Connection* connection, const protocol::Hello& hello);
  void OpenEvents(Connection* connection, const protocol::Hello& hello);
  void WatchProcess(ClientSession* session);
  void Recall(uint64_t connection, const std::vector<uint64_t>& segments);
  void RecallBlanks(uint64_t connection);
  Message Welcome(std::string token) const;

  const Parts parts_;
  Acceptor acceptor_;
  bool closing_all_ = false;      // The clients have not left.
  std::vector<uint64_t> buffer_;  // One packet; words for the alignment.
  uint64_t last_connection_ = 0;
  ConnectionTable connections_;
  SessionTable sessions_;
  WaitTable waits_;
  SubscriptionTable subscriptions_;
  RequestHandler requests_;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_CORE_H_
