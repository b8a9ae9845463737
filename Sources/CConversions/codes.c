#include "CConversions.h"
#include "clones.h"
#include <string.h>

// Codes of quantised weights. Every operation is exact or rounded once to nearest even, and every
// value depends on its own operands alone: the same bits on every CPU.

CLONES void ck_unpack_codes(const uint8_t *restrict in, float *restrict out, size_t count,
                            uint32_t bits) {
  if (bits == 8) {
    for (size_t i = 0; i < count; i++) out[i] = in[i];
    return;
  }
  if (bits == 4) {
    for (size_t i = 0; i < count / 2; i++) {
      out[2 * i] = in[i] & 15;
      out[2 * i + 1] = in[i] >> 4;
    }
    if (count % 2) out[count - 1] = in[count / 2] & 15;
    return;
  }
  uint32_t mask = (1u << bits) - 1;
  for (size_t i = 0; i < count; i++) {
    size_t bit = i * bits;
    uint32_t word = in[bit / 8];
    if (bit % 8 + bits > 8) word |= (uint32_t)in[bit / 8 + 1] << 8;
    out[i] = word >> bit % 8 & mask;
  }
}

CLONES void ck_unpack_words(const uint8_t *restrict in, float *restrict out, size_t count,
                            uint32_t shift, uint32_t bits) {
  uint32_t mask = (1u << bits) - 1;
  for (size_t i = 0; i < count; i++) {
    uint32_t word;
    memcpy(&word, in + 4 * i, sizeof word);
    out[i] = word >> shift & mask;
  }
}

CLONES void ck_scale_runs(float *restrict values, size_t count, size_t width,
                          const float *restrict zeros, const float *restrict scales) {
  for (size_t start = 0; start < count; start += width) {
    float scale = *scales++;
    float zero = zeros ? *zeros++ : 0;
    size_t length = count - start < width ? count - start : width;
    for (size_t i = 0; i < length; i++) values[start + i] = (values[start + i] - zero) * scale;
  }
}

CLONES void ck_scale_indexed(float *restrict values, size_t count, const int32_t *restrict index,
                             const float *restrict zeros, const float *restrict scales) {
  if (!zeros) {
    for (size_t i = 0; i < count; i++) values[i] *= scales[index[i]];
    return;
  }
  for (size_t i = 0; i < count; i++)
    values[i] = (values[i] - zeros[index[i]]) * scales[index[i]];
}

// Squares that stay in the cache on both sides.
enum { SIDE = 16 };

CLONES void ck_transpose(const float *restrict in, size_t rows, size_t stride, size_t columns,
                         float *restrict out, size_t out_stride) {
  for (size_t c0 = 0; c0 < columns; c0 += SIDE) {
    size_t c1 = c0 + SIDE < columns ? c0 + SIDE : columns;
    for (size_t r0 = 0; r0 < rows; r0 += SIDE) {
      size_t r1 = r0 + SIDE < rows ? r0 + SIDE : rows;
      for (size_t c = c0; c < c1; c++)
        for (size_t r = r0; r < r1; r++) out[c * out_stride + r] = in[r * stride + c];
    }
  }
}

CLONES void ck_transpose_words(const uint8_t *restrict in, size_t rows, size_t columns,
                               uint8_t *restrict out) {
  for (size_t r0 = 0; r0 < rows; r0 += SIDE) {
    size_t r1 = r0 + SIDE < rows ? r0 + SIDE : rows;
    for (size_t c = 0; c < columns; c++)
      for (size_t r = r0; r < r1; r++)
        memcpy(out + 4 * (c * rows + r), in + 4 * (r * columns + c), 4);
  }
}

CLONES size_t ck_count_infinite(const float *values, size_t count) {
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    found += (bits & 0x7fffffffu) == 0x7f800000u;
  }
  return found;
}
