#pragma once

#include <stdint.h>
#include <string.h>

// The bit patterns of floating-point numbers.

static inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// 2^exponent, for normal results.
#define POWER(exponent) float_of((uint32_t)((exponent) + 127) << 23)

#define INFINITY_BITS 0x7f800000u

// The value of a code of one sign bit, `width - mantissa - 1` exponent bits and `mantissa` more,
// infinities and NaNs aside. The code's exponent and fraction, moved to their places in a float32,
// are off by the difference of the biases: one exact multiplication, subnormals included.
static inline float widen(uint32_t code, int width, int mantissa, int bias) {
  uint32_t sign = code >> (width - 1) << 31;
  uint32_t magnitude = code & ((1u << (width - 1)) - 1);
  float value = float_of(magnitude << (23 - mantissa)) * POWER(127 - bias);
  return float_of(bits_of(value) | sign);
}

// `widen` for types whose highest exponent means infinities, and NaNs with their payload.
static inline float widen_ieee(uint32_t code, int width, int mantissa, int bias) {
  uint32_t magnitude = code & ((1u << (width - 1)) - 1);
  uint32_t special = ((1u << (width - 1 - mantissa)) - 1) << mantissa;
  float value = widen(code, width, mantissa, bias);
  return magnitude >= special ? float_of(bits_of(value) | INFINITY_BITS) : value;
}

static inline float half_to_float(uint16_t code) { return widen_ieee(code, 16, 10, 15); }

// The magnitude's code after rounding to nearest even, as if the exponent had no end; `magnitude`
// is finite or infinite. Below the smallest normal number, adding the float whose last bit is worth
// the target's last bit lets the hardware round.
static inline uint32_t narrow(uint32_t magnitude, int mantissa, int bias) {
  int shift = 23 - mantissa;
  uint32_t even = magnitude >> shift & 1;
  uint32_t rounded = magnitude + (1u << (shift - 1)) - 1 + even;
  uint32_t normal = (rounded - ((uint32_t)(127 - bias) << 23)) >> shift;
  float unit = POWER(24 - bias - mantissa);
  uint32_t subnormal = bits_of(float_of(magnitude) + unit) - bits_of(unit);
  return magnitude < (uint32_t)(128 - bias) << 23 ? subnormal : normal;
}
