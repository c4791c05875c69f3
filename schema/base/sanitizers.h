// Which sanitizer this is built with, for what cannot work under it.
#ifndef VITRINE_SCHEMA_BASE_SANITIZERS_H_
#define VITRINE_SCHEMA_BASE_SANITIZERS_H_

#if defined(__has_feature)
#define VITRINE_HAS_FEATURE(feature) __has_feature(feature)
#else
#define VITRINE_HAS_FEATURE(feature) 0
#endif

namespace vitrine {

#if defined(__SANITIZE_THREAD__) || VITRINE_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__) || VITRINE_HAS_FEATURE(address_sanitizer)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

}  // namespace vitrine

#undef VITRINE_HAS_FEATURE

#endif  // VITRINE_SCHEMA_BASE_SANITIZERS_H_
