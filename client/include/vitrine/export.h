// Marks what the shared library lets others see; all else is hidden.
#ifndef VITRINE_EXPORT_H_
#define VITRINE_EXPORT_H_

#define VITRINE_EXPORT __attribute__((visibility("default")))

#endif  // VITRINE_EXPORT_H_
