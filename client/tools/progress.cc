#include "client/tools/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "client/tools/text.h"
#include "schema/base/size.h"

namespace vitrine::tools {
namespace {

constexpr uint64_t kLargeBytes = 64 << 20;
constexpr std::chrono::milliseconds kPatience(500);
constexpr std::chrono::milliseconds kInterval(100);
constexpr size_t kBarColumns = 24;

size_t TerminalColumns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
  return known && size.ws_col > 0 ? size.ws_col : 80;
}

std::string Bar(double fraction) {
  const auto filled = static_cast<size_t>(fraction * kBarColumns);
  return "[" + std::string(filled, '#') +
         std::string(kBarColumns - filled, '.') + "] " +
         std::to_string(static_cast<int>(fraction * 100)) + "%  ";
}

}  // namespace

Progress::Progress(std::string label, uint64_t total_bytes)
    : label_(std::move(label)),
      total_bytes_(total_bytes),
      terminal_(::isatty(STDERR_FILENO) == 1) {
  if (total_bytes_ <= kLargeBytes) next_ += kPatience;
}

Progress::~Progress() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void Progress::Update(uint64_t done_bytes) {
  if (!terminal_) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  const std::chrono::duration<double> elapsed = now - start_;
  // One column stays free: a full line would wrap.
  const std::string line =
      Line(done_bytes, elapsed.count()).substr(0, TerminalColumns() - 1);
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  shown_ = true;
}

std::string Progress::Line(uint64_t done_bytes, double seconds) const {
  std::string line;
  if (total_bytes_ > 0) {
    line = Bar(std::min(1.0, static_cast<double>(done_bytes) /
                                 static_cast<double>(total_bytes_)));
  }
  line += FormatSize(done_bytes);
  if (total_bytes_ > 0) line += " of " + FormatSize(total_bytes_);
  if (seconds >= 0.1) {
    const double rate = static_cast<double>(done_bytes) / seconds;
    line += "  " + FormatSize(static_cast<uint64_t>(rate)) + "/s";
  }
  return line + "  " + Printable(label_);
}

}  // namespace vitrine::tools
