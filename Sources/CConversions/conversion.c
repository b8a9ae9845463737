#include "CConversions.h"
#include "clones.h"
#include "floats.h"

// Element conversions. Integer arithmetic on the bit patterns, and float operations that are exact
// or rounded once to nearest even: the same bits on every CPU, and every loop vectorises.

// MARK: Decoding

static inline float widen_e4m3(uint32_t code) {
  return (code & 0x7f) == 0x7f ? float_of(0x7fc00000u | code >> 7 << 31) : widen(code, 8, 3, 7);
}

// The FN-UZ types: the code of minus zero is the only NaN, and there is no infinity.
static inline float widen_fnuz(uint32_t code, int mantissa, int bias) {
  return code == 0x80 ? float_of(0x7fc00000u) : widen(code, 8, mantissa, bias);
}

// A bare exponent; code 0 is 2^-127, a subnormal float32.
static inline float widen_e8m0(uint32_t code) {
  return float_of(code == 0 ? 0x00400000u : code == 255 ? 0x7fc00000u : code << 23);
}

#define DECODER(name, Raw, expression)                                                             \
  CLONES void ck_decode_##name(const uint8_t *restrict in, float *restrict out, size_t count) {    \
    for (size_t i = 0; i < count; i++) {                                                           \
      Raw raw;                                                                                     \
      memcpy(&raw, in + i * sizeof raw, sizeof raw);                                               \
      out[i] = expression;                                                                         \
    }                                                                                              \
  }

DECODER(f64, double, (float)raw)
DECODER(f32, float, raw)
DECODER(f16, uint16_t, half_to_float(raw))
DECODER(bf16, uint16_t, float_of((uint32_t)raw << 16))
DECODER(f8_e4m3, uint8_t, widen_e4m3(raw))
DECODER(f8_e5m2, uint8_t, widen_ieee(raw, 8, 2, 15))
DECODER(f8_e4m3fnuz, uint8_t, widen_fnuz(raw, 3, 8))
DECODER(f8_e5m2fnuz, uint8_t, widen_fnuz(raw, 2, 16))
DECODER(f8_e8m0, uint8_t, widen_e8m0(raw))
DECODER(bool, uint8_t, raw != 0)
DECODER(i8, int8_t, raw)
DECODER(u8, uint8_t, raw)
DECODER(i16, int16_t, raw)
DECODER(u16, uint16_t, raw)
DECODER(i32, int32_t, (float)raw)
DECODER(u32, uint32_t, (float)raw)
DECODER(i64, int64_t, (float)raw)
DECODER(u64, uint64_t, (float)raw)

// Codes of less than a byte lie in a little-endian stream of bits.
#define PACKED_DECODER(name, width, mantissa, bias)                                                \
  void ck_decode_##name(const uint8_t *restrict in, float *restrict out, size_t count) {           \
    for (size_t i = 0; i < count; i++) {                                                           \
      size_t bit = i * width;                                                                      \
      uint32_t bits = in[bit / 8];                                                                 \
      if (bit % 8 + width > 8) bits |= (uint32_t)in[bit / 8 + 1] << 8;                             \
      out[i] = widen(bits >> bit % 8 & ((1u << width) - 1), width, mantissa, bias);                \
    }                                                                                              \
  }

PACKED_DECODER(f4, 4, 1, 1)
PACKED_DECODER(f6_e2m3, 6, 3, 1)
PACKED_DECODER(f6_e3m2, 6, 2, 3)

// MARK: Encoding

static inline uint32_t narrow_bf16(uint32_t magnitude) {
  return (magnitude + 0x7fff + (magnitude >> 16 & 1)) >> 16;
}

// Minus zero and NaN share a code in the FN-UZ types, so neither zero nor NaN takes a sign.
static inline uint32_t sign_fnuz(uint32_t code, uint32_t sign) {
  return (code & 0x7f) != 0 ? code | sign : code;
}

// Encodes `count` values; returns how many were too large, and puts the largest magnitude among
// them into `*top`. In scope of the arguments: `magnitude`, the value's bits without sign, and
// `sign`, moved to the code's top bit. A rounded code above `largest` becomes `overflow`; that
// counts unless the value was infinite and the type has infinities, that is, for magnitudes up to
// `counted`. The count of a block fits 32 bits, which vectorises best.
#define ENCODER(name, Raw, rounded, largest, overflow, nan, counted, signed_code)                  \
  CLONES size_t ck_encode_##name(                                                                  \
      const float *restrict in, uint8_t *restrict out, size_t count, float *restrict top) {        \
    size_t total = 0;                                                                              \
    uint32_t top_bits = 0;                                                                         \
    for (size_t start = 0; start < count; start += 4096) {                                         \
      size_t end = count - start < 4096 ? count : start + 4096;                                    \
      uint32_t lost = 0;                                                                           \
      for (size_t i = start; i < end; i++) {                                                       \
        uint32_t bits = bits_of(in[i]), magnitude = bits & 0x7fffffff;                             \
        uint32_t sign = bits >> 31 << (8 * sizeof(Raw) - 1);                                       \
        uint32_t code = rounded, is_over = code > (largest);                                       \
        uint32_t is_lost = is_over & (magnitude <= (counted));                                     \
        code = is_over ? (overflow) : code;                                                        \
        code = magnitude > INFINITY_BITS ? (nan) : code;                                           \
        Raw raw = (Raw)(signed_code);                                                              \
        memcpy(out + i * sizeof raw, &raw, sizeof raw);                                            \
        lost += is_lost;                                                                           \
        uint32_t lost_bits = is_lost ? magnitude : 0;                                              \
        top_bits = lost_bits > top_bits ? lost_bits : top_bits;                                    \
      }                                                                                            \
      total += lost;                                                                               \
    }                                                                                              \
    *top = float_of(top_bits);                                                                     \
    return total;                                                                                  \
  }

#define FINITE_BITS (INFINITY_BITS - 1)

ENCODER(
    f16, uint16_t, narrow(magnitude, 10, 15), 0x7bff, 0x7c00, 0x7e00 | (magnitude >> 13 & 0x1ff),
    FINITE_BITS, code | sign)
ENCODER(
    bf16, uint16_t, narrow_bf16(magnitude), 0x7f7f, 0x7f80, 0x40 | magnitude >> 16, FINITE_BITS,
    code | sign)
ENCODER(
    f8_e5m2, uint8_t, narrow(magnitude, 2, 15), 0x7b, 0x7c, 0x7f, FINITE_BITS, code | sign)
ENCODER(
    f8_e4m3, uint8_t, narrow(magnitude, 3, 7), 0x7e, 0x7e, 0x7f, INFINITY_BITS, code | sign)
ENCODER(
    f8_e4m3fnuz, uint8_t, narrow(magnitude, 3, 8), 0x7f, 0x80, 0x80, INFINITY_BITS,
    sign_fnuz(code, sign))
ENCODER(
    f8_e5m2fnuz, uint8_t, narrow(magnitude, 2, 16), 0x7f, 0x80, 0x80, INFINITY_BITS,
    sign_fnuz(code, sign))

// MARK: Double

CLONES void ck_encode_f64(const float *restrict in, uint8_t *restrict out, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double value = in[i];
    memcpy(out + i * sizeof value, &value, sizeof value);
  }
}

// Rounds to nearest even; counts like an encoder.
CLONES size_t ck_f64_to_f32(
    const uint8_t *restrict in, float *restrict out, size_t count, float *restrict top) {
  size_t lost = 0;
  for (size_t i = 0; i < count; i++) {
    double value;
    memcpy(&value, in + i * sizeof value, sizeof value);
    out[i] = (float)value;
    lost += (__builtin_fabs(value) <= __DBL_MAX__) & (__builtin_fabsf(out[i]) > __FLT_MAX__);
  }
  *top = lost > 0 ? __builtin_inff() : 0;
  return lost;
}

// Rounds to odd: what is not exact goes to the neighbour with an odd last bit. A second rounding, to
// nearest in a type at least two bits shorter, then gives what one rounding would have given
// (S. Boldo and G. Melquiond, "When double rounding is odd", 2005). No finite value becomes infinite.
CLONES void ck_f64_to_f32_odd(const uint8_t *restrict in, float *restrict out, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double value;
    memcpy(&value, in + i * sizeof value, sizeof value);
    float nearest = (float)value;
    uint32_t bits = bits_of(nearest);
    double error = __builtin_fabs((double)nearest) - __builtin_fabs(value);
    bits -= error > 0;
    bits |= error > 0 || error < 0;
    out[i] = float_of(bits);
  }
}
