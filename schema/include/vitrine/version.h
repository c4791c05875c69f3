#ifndef VITRINE_VERSION_H_
#define VITRINE_VERSION_H_

namespace vitrine {

// "0.1.0"
const char* Version();

}  // namespace vitrine

#endif  // VITRINE_VERSION_H_
