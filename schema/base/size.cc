#include "schema/base/size.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

namespace vitrine {
namespace {

// In the order of their powers of 1024.
constexpr std::string_view kUnits = "kmgtpe";

char ToLower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The power of two that `unit` stands for.
std::optional<unsigned> ParseUnit(std::string_view unit) {
  std::string lower;
  for (const char c : unit) lower.push_back(ToLower(c));
  if (lower.empty() || lower == "b" || lower == "byte" || lower == "bytes") {
    return 0U;
  }
  const size_t power = kUnits.find(lower[0]);
  if (power == std::string_view::npos) return std::nullopt;
  const std::string rest = lower.substr(1);
  if (!rest.empty() && rest != "b" && rest != "ib" && rest != "i") {
    return std::nullopt;
  }
  return static_cast<unsigned>(10 * (power + 1));
}

struct Decimal {
  uint64_t whole = 0;
  long double part = 0;  // Below 1.
};

// Takes a number off the front of `text`.
std::optional<Decimal> TakeDecimal(std::string_view* text) {
  Decimal decimal;
  if (text->empty() || !IsDigit(text->front())) return std::nullopt;
  const char* end = text->data() + text->size();
  const auto [rest, failure] =
      std::from_chars(text->data(), end, decimal.whole);
  if (failure != std::errc()) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(rest - text->data()));
  if (text->empty() || text->front() != '.') return decimal;
  text->remove_prefix(1);
  if (text->empty() || !IsDigit(text->front())) return std::nullopt;
  long double weight = 0.1L;
  for (; !text->empty() && IsDigit(text->front()); weight /= 10) {
    decimal.part += weight * static_cast<long double>(text->front() - '0');
    text->remove_prefix(1);
  }
  return decimal;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Result<uint64_t> ParseSize(std::string_view text) {
  const Error no_size{Code::kInvalidArgument,
                      "'" + std::string(text) +
                          "' is no size: write bytes, or a number with K, M, "
                          "G or T, such as 512M or 8G"};
  std::string_view rest = Trim(text);
  const std::optional<Decimal> decimal = TakeDecimal(&rest);
  if (!decimal) return no_size;
  const std::optional<unsigned> shift = ParseUnit(Trim(rest));
  if (!shift) return no_size;
  if (decimal->whole > UINT64_MAX >> *shift) {
    return Error{Code::kInvalidArgument,
                 "'" + std::string(text) + "' is more than 64 bits hold"};
  }
  const uint64_t unit = uint64_t{1} << *shift;
  const auto part =
      static_cast<uint64_t>(decimal->part * static_cast<long double>(unit));
  // Rounding may have made a whole unit of many nines.
  return (decimal->whole << *shift) + std::min(part, unit - 1);
}

std::string FormatSize(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  constexpr std::array<const char*, 6> kNames = {"KiB", "MiB", "GiB",
                                                 "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  // 1023.95 would print as 1024.0.
  while (value >= 1023.95 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, kNames[unit]);
  return text.data();
}

}  // namespace vitrine
