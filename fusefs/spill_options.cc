#include "fusefs/spill_options.h"

namespace vitrine::fusefs {
namespace {

Error NoSense(const std::string& message) {
  return {Code::kInvalidArgument, message};
}

Status ParseOnExit(const std::string& text, StoreOptions* options) {
  if (text == "drop") {
    options->on_exit = store::OnExit::kDrop;
  } else if (text == "spill") {
    options->on_exit = store::OnExit::kSpill;
  } else if (text == "keep") {
    options->on_exit = store::OnExit::kKeep;
  } else {
    return NoSense("--on-exit: '" + text + "' is not drop, spill or keep");
  }
  if (text == "spill" && options->external_stores.empty()) {
    return NoSense("--on-exit spill needs --spill or --external-store");
  }
  return {};
}

}  // namespace

Status SetSpill(const SpillTexts& texts, StoreOptions* options) {
  if (!texts.spill_dir.empty()) {
    options->external_stores.push_back("file://" + texts.spill_dir);
  }
  for (const std::string& url : texts.external_stores) {
    if (url.find("://") == std::string::npos) {
      return NoSense("--external-store: '" + url +
                     "' is no URL such as file:///directory");
    }
    options->external_stores.push_back(url);
  }
  if (options->spill_limit_bytes && options->external_stores.empty()) {
    return NoSense("--spill-limit needs --spill or --external-store");
  }
  return texts.on_exit ? ParseOnExit(*texts.on_exit, options) : Status();
}

}  // namespace vitrine::fusefs
