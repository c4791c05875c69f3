// A fork of the test that takes its steps when the test says so.
#ifndef VITRINE_TESTS_SYSTEM_CHILD_PROCESS_H_
#define VITRINE_TESTS_SYSTEM_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cerrno>
#include <cstdio>
#include <functional>

#include "schema/base/unique_fd.h"
#include "tests/support/other_user.h"

// In a child: says where, and makes it fail.
#define CHILD_EXPECT(condition)                                          \
  do {                                                                   \
    if (!(condition)) {                                                  \
      std::fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, \
                   #condition, errno);                                   \
      return false;                                                      \
    }                                                                    \
  } while (false)

namespace vitrine {

// Runs `body` in a forked process, which dies with the test.  The body should
// do little but system calls: other threads of the test are not in the child.
class ChildProcess {
 public:
  // The child's end of the conversation.
  class Parent {
   public:
    Parent(int to_parent, int from_parent)
        : to_parent_(to_parent), from_parent_(from_parent) {}
    // Says that a step is done, and waits until the next one is wanted.
    void Say() const;
    void Await() const;

   private:
    const int to_parent_;
    const int from_parent_;
  };
  // False or a signal: it failed.
  using Body = std::function<bool(const Parent&)>;

  explicit ChildProcess(const Body& body);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // Waits until the child says a word.  False: it has ended.
  bool AwaitWord();
  void Tell();
  // True if the body came to its end and was content.
  bool Succeeded();

 private:
  pid_t pid_ = -1;
  UniqueFd from_child_;
  UniqueFd to_child_;
};

// Runs `body` as another user; true if it was content.
bool As(uid_t uid, const std::function<bool()>& body);

}  // namespace vitrine

#endif  // VITRINE_TESTS_SYSTEM_CHILD_PROCESS_H_
