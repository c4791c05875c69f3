#include <vitrine/version.h>

namespace vitrine {

const char* Version() { return VITRINE_VERSION_STRING; }

}  // namespace vitrine
