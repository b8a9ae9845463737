#pragma once

#include <stdint.h>
#include <string.h>

// e^x to about 1 unit in the last place, without branches, so that loops over it vectorise.
// x = n ln 2 + r with |r| <= ln 2 / 2, then a polynomial for e^r and the exponent field for 2^n.
// Below -87.3 the result is 0; above 88.7 it is infinite; NaN stays NaN.
static inline __attribute__((always_inline)) float ck_exp1(float x) {
#pragma clang fp contract(fast)
  // 1.5 * 2^23: adding it rounds to an integer, which then stands in the low mantissa bits.
  const float magic = 12582912.0f;
  float shifted = x * 1.44269504f + magic;
  float n = shifted - magic;
  float r = x - n * 0.693145752f;
  r = r - n * 1.42860677e-6f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  uint32_t bits;
  memcpy(&bits, &shifted, 4);
  // Two factors, so that 2^n with n = 128 does not overflow on the way.
  int32_t exponent = (int32_t)(bits << 9) >> 9;
  int32_t half = exponent >> 1;
  uint32_t low = (uint32_t)(half + 127) << 23, high = (uint32_t)(exponent - half + 127) << 23;
  float a, b;
  memcpy(&a, &low, 4);
  memcpy(&b, &high, 4);
  float y = p * a * b;
  y = x < -87.3f ? 0.0f : y;
  y = x > 88.72f ? __builtin_inff() : y;
  return x != x ? x : y;
}

static inline __attribute__((always_inline)) float ck_sigmoid1(float x) {
  return 1.0f / (1.0f + ck_exp1(-x));
}
