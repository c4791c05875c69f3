// Marks the symbols that the shared library exports; all others are hidden.
#ifndef VITRINE_EXPORT_H_
#define VITRINE_EXPORT_H_

#define VITRINE_EXPORT __attribute__((visibility("default")))

#endif  // VITRINE_EXPORT_H_
