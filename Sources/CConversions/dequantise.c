#include "CConversions.h"
#include "clones.h"
#include "floats.h"

// ggml's quantised blocks. Every result is one product, or one product and one sum, of float32 in
// the order of the reference; a fused multiply-add would round differently.
#pragma STDC FP_CONTRACT OFF

// A scale, stored as float16.
static inline float scale_at(const uint8_t *in) {
  uint16_t code;
  memcpy(&code, in, sizeof code);
  return half_to_float(code);
}

// Decodes `count` blocks, one after another.
#define DEQUANTISER(name, block_bytes, block_elements)                                             \
  CLONES void ck_dequantise_##name(                                                                \
      const uint8_t *restrict in, float *restrict out, size_t count) {                             \
    for (size_t i = 0; i < count; i++) {                                                           \
      block_##name(in + i * (block_bytes), out + i * (block_elements));                            \
    }                                                                                              \
  }

// MARK: Blocks of 32

static inline void block_q4_0(const uint8_t *restrict in, float *restrict out) {
  float d = scale_at(in);
  for (int i = 0; i < 16; i++) {
    int low = in[2 + i] & 15, high = in[2 + i] >> 4;
    out[i] = d * (float)(low - 8);
    out[i + 16] = d * (float)(high - 8);
  }
}

static inline void block_q4_1(const uint8_t *restrict in, float *restrict out) {
  float d = scale_at(in), m = scale_at(in + 2);
  for (int i = 0; i < 16; i++) {
    int low = in[4 + i] & 15, high = in[4 + i] >> 4;
    out[i] = d * (float)low + m;
    out[i + 16] = d * (float)high + m;
  }
}

static inline uint32_t word_at(const uint8_t *in) {
  uint32_t word;
  memcpy(&word, in, sizeof word);
  return word;
}

static inline void block_q5_0(const uint8_t *restrict in, float *restrict out) {
  float d = scale_at(in);
  uint32_t fifth = word_at(in + 2);
  for (int i = 0; i < 16; i++) {
    int low = (in[6 + i] & 15) | (fifth >> i & 1) << 4;
    int high = in[6 + i] >> 4 | (fifth >> (i + 16) & 1) << 4;
    out[i] = d * (float)(low - 16);
    out[i + 16] = d * (float)(high - 16);
  }
}

static inline void block_q5_1(const uint8_t *restrict in, float *restrict out) {
  float d = scale_at(in), m = scale_at(in + 2);
  uint32_t fifth = word_at(in + 4);
  for (int i = 0; i < 16; i++) {
    int low = (in[8 + i] & 15) | (fifth >> i & 1) << 4;
    int high = in[8 + i] >> 4 | (fifth >> (i + 16) & 1) << 4;
    out[i] = d * (float)low + m;
    out[i + 16] = d * (float)high + m;
  }
}

static inline void block_q8_0(const uint8_t *restrict in, float *restrict out) {
  float d = scale_at(in);
  for (int i = 0; i < 32; i++) out[i] = d * (float)(int8_t)in[2 + i];
}

DEQUANTISER(q4_0, 18, 32)
DEQUANTISER(q4_1, 20, 32)
DEQUANTISER(q5_0, 22, 32)
DEQUANTISER(q5_1, 24, 32)
DEQUANTISER(q8_0, 34, 32)

// MARK: Blocks of 256

// Sixteen groups of 16: scales and minima of 4 bits, values of 2 bits. The values of four runs of
// 32 share 32 bytes, the first run lowest.
static inline void block_q2_k(const uint8_t *restrict in, float *restrict out) {
  const uint8_t *values = in + 16;
  float d = scale_at(in + 80), m = scale_at(in + 82);
#pragma clang loop unroll(full)
  for (int group = 0; group < 16; group++) {
    float scale = d * (float)(in[group] & 15), minimum = m * (float)(in[group] >> 4);
    const uint8_t *from = values + group / 8 * 32 + group % 2 * 16;
    int shift = group % 8 / 2 * 2;
    for (int i = 0; i < 16; i++) {
      out[group * 16 + i] = scale * (float)(from[i] >> shift & 3) - minimum;
    }
  }
}

// Sixteen groups of 16 with scales of 6 bits; two bits of a value lie as in `q2_k`, the third, which
// adds 4 to a value that counts from -4, in bit `run` of 32 bytes.
static inline void block_q3_k(const uint8_t *restrict in, float *restrict out) {
  const uint8_t *thirds = in, *values = in + 32, *scales = in + 96;
  float d = scale_at(in + 108);
  for (int group = 0; group < 16; group++) {
    int low = scales[group % 8] >> group / 8 * 4 & 15;
    int high = scales[8 + group % 4] >> group / 4 * 2 & 3;
    float scale = d * (float)((low | high << 4) - 32);
    const uint8_t *from = values + group / 8 * 32 + group % 2 * 16;
    const uint8_t *third = thirds + group % 2 * 16;
    int shift = group % 8 / 2 * 2, run = group / 2;
    for (int i = 0; i < 16; i++) {
      int value = (from[i] >> shift & 3) + (third[i] >> run & 1) * 4 - 4;
      out[group * 16 + i] = scale * (float)value;
    }
  }
}

// Scale and minimum, 6 bits each, of run `run` of eight, from the 12 bytes of `q4_k` and `q5_k`.
static inline void scales_of_run(const uint8_t *in, int run, int *scale, int *minimum) {
  if (run < 4) {
    *scale = in[run] & 63;
    *minimum = in[run + 4] & 63;
  } else {
    *scale = (in[run + 4] & 15) | in[run - 4] >> 6 << 4;
    *minimum = in[run + 4] >> 4 | in[run] >> 6 << 4;
  }
}

static inline void block_q4_k(const uint8_t *restrict in, float *restrict out) {
  float d = scale_at(in), m = scale_at(in + 2);
  for (int run = 0; run < 8; run++) {
    int integer_scale, integer_minimum;
    scales_of_run(in + 4, run, &integer_scale, &integer_minimum);
    float scale = d * (float)integer_scale, minimum = m * (float)integer_minimum;
    const uint8_t *from = in + 16 + run / 2 * 32;
    int shift = run % 2 * 4;
    for (int i = 0; i < 32; i++) {
      out[run * 32 + i] = scale * (float)(from[i] >> shift & 15) - minimum;
    }
  }
}

static inline void block_q5_k(const uint8_t *restrict in, float *restrict out) {
  float d = scale_at(in), m = scale_at(in + 2);
  const uint8_t *fifths = in + 16;
  for (int run = 0; run < 8; run++) {
    int integer_scale, integer_minimum;
    scales_of_run(in + 4, run, &integer_scale, &integer_minimum);
    float scale = d * (float)integer_scale, minimum = m * (float)integer_minimum;
    const uint8_t *from = in + 48 + run / 2 * 32;
    int shift = run % 2 * 4;
    for (int i = 0; i < 32; i++) {
      int value = (from[i] >> shift & 15) | (fifths[i] >> run & 1) << 4;
      out[run * 32 + i] = scale * (float)value - minimum;
    }
  }
}

// Two halves of 128; in each, four runs of 32 take their low 4 bits from 64 bytes, the lower
// nibbles first, and their high 2 bits from 32 bytes, the first run lowest.
static inline void block_q6_k(const uint8_t *restrict in, float *restrict out) {
  float d = scale_at(in + 208);
  for (int group = 0; group < 16; group++) {
    int half = group / 8, run = group % 8 / 2, start = group % 2 * 16;
    float scale = d * (float)(int8_t)in[192 + group];
    const uint8_t *low = in + half * 64 + run % 2 * 32 + start;
    const uint8_t *high = in + 128 + half * 32 + start;
    int low_shift = run / 2 * 4, high_shift = run * 2;
    for (int i = 0; i < 16; i++) {
      int value = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
      out[group * 16 + i] = scale * (float)(value - 32);
    }
  }
}

DEQUANTISER(q2_k, 84, 256)
DEQUANTISER(q3_k, 110, 256)
DEQUANTISER(q4_k, 144, 256)
DEQUANTISER(q5_k, 176, 256)
DEQUANTISER(q6_k, 210, 256)

// MARK: Quantising

// Encodes `count` blocks of 32 values: the largest magnitude becomes ±127 steps, halves round away
// from zero. Returns how many values lie in blocks whose scale float16 cannot hold, or which hold an
// infinity or NaN, and puts the largest magnitude of these blocks into `*top`. Blocks with an
// infinity or NaN become NaN throughout.
CLONES size_t ck_quantise_q8_0(
    const float *restrict in, uint8_t *restrict out, size_t count, float *restrict top) {
  size_t lost = 0;
  uint32_t top_bits = 0;
  for (size_t block = 0; block < count; block++, in += 32, out += 34) {
    uint32_t largest = 0;
    for (int i = 0; i < 32; i++) {
      uint32_t magnitude = bits_of(in[i]) & 0x7fffffff;
      largest = magnitude > largest ? magnitude : largest;
    }
    float scale = float_of(largest) / 127, inverse = 1 / scale;
    uint32_t code = narrow(bits_of(scale), 10, 15);
    if (largest >= INFINITY_BITS) {
      code = 0x7e00;
    } else if (code > 0x7c00) {
      code = 0x7c00;
    }
    if (code >= 0x7c00) {
      lost += 32;
      uint32_t magnitude = largest > INFINITY_BITS ? INFINITY_BITS : largest;
      top_bits = magnitude > top_bits ? magnitude : top_bits;
    }
    // A scale so small that its inverse is infinite is stored as zero in any case.
    if (!(inverse <= __FLT_MAX__) || code == 0x7e00) inverse = 0;
    uint16_t half = (uint16_t)code;
    memcpy(out, &half, sizeof half);
    if (inverse == 0) {
      memset(out + 2, 0, 32);
      continue;
    }
    for (int i = 0; i < 32; i++) {
      float steps = in[i] * inverse;
      float whole = (float)(int)__builtin_fabsf(steps);
      int rounded = (int)whole + (int)(2 * (__builtin_fabsf(steps) - whole));
      out[2 + i] = (uint8_t)(int8_t)(steps < 0 ? -rounded : rounded);
    }
  }
  *top = float_of(top_bits);
  return lost;
}
