#pragma once

#include <math.h>
#include <stddef.h>

// The greatest of `count` values, in lanes: compilers leave the plain loop scalar, since with a NaN
// the order counts. A NaN is passed over here and shows in the sum of exponentials that follows.
static inline __attribute__((always_inline)) float row_maximum(const float *x, size_t count) {
  enum { lanes = 32 };
  float tops[lanes], top = -INFINITY;
  for (size_t j = 0; j < lanes; j++) tops[j] = -INFINITY;
  size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (size_t j = 0; j < lanes; j++) tops[j] = x[i + j] > tops[j] ? x[i + j] : tops[j];
  for (size_t j = 0; j < lanes; j++) top = tops[j] > top ? tops[j] : top;
  for (; i < count; i++) top = x[i] > top ? x[i] : top;
  return top;
}
