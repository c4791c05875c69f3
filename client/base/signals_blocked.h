#ifndef VITRINE_CLIENT_BASE_SIGNALS_BLOCKED_H_
#define VITRINE_CLIENT_BASE_SIGNALS_BLOCKED_H_

#include <csignal>

namespace vitrine {

// Threads that are started while it lives have all signals blocked, so that
// none of the application's handlers runs on them.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_BASE_SIGNALS_BLOCKED_H_
