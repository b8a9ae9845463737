#pragma once

#include "exponential.h"

// tanh x to about 1 unit in the last place, without branches: a polynomial where |x| < 0.625, by the
// exponential function beyond (the division of ranges is Cephes', Moshier 1989).
static inline __attribute__((always_inline)) float ck_tanh1(float x) {
#pragma clang fp contract(fast)
  float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  float small = p * z * x + x;
  float magnitude = __builtin_fabsf(x);
  float large = 1.0f - 2.0f / (ck_exp1(2.0f * magnitude) + 1.0f);
  large = x < 0 ? -large : large;
  float y = magnitude < 0.625f ? small : large;
  return x != x ? x : y;
}
