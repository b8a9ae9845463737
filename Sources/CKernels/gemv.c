#include <string.h>

#include "CKernels.h"
#include "clones.h"
#include "exponential.h"

// Sixteen lanes at any alignment: one zmm, two ymm or four xmm, as the clone has them.
typedef float lanes __attribute__((vector_size(64), aligned(4)));
typedef uint16_t halves __attribute__((vector_size(32), aligned(2)));
typedef uint32_t words __attribute__((vector_size(64)));

// Vectors cross functions by address: by value they would need one instruction set everywhere.
#define INLINE static inline __attribute__((always_inline))

INLINE float fold(const lanes *a) {
  RELAXED
  float sum = 0;
  for (int i = 0; i < 16; i++) sum += (*a)[i];
  return sum;
}

INLINE void add_product(lanes *sum, const uint16_t *w, const float *x) {
  RELAXED
  words wide = __builtin_convertvector(*(const halves *)w, words) << 16;
  *sum += (lanes)wide * *(const lanes *)x;
}

INLINE float dot_f32(const float *w, const float *x, size_t count) {
  RELAXED
  lanes a = {0}, b = {0}, c = {0}, d = {0};
  size_t i = 0;
  for (; i + 64 <= count; i += 64) {
    a += *(const lanes *)(w + i) * *(const lanes *)(x + i);
    b += *(const lanes *)(w + i + 16) * *(const lanes *)(x + i + 16);
    c += *(const lanes *)(w + i + 32) * *(const lanes *)(x + i + 32);
    d += *(const lanes *)(w + i + 48) * *(const lanes *)(x + i + 48);
  }
  for (; i + 16 <= count; i += 16) a += *(const lanes *)(w + i) * *(const lanes *)(x + i);
  a = (a + b) + (c + d);
  float sum = fold(&a);
  for (; i < count; i++) sum += w[i] * x[i];
  return sum;
}

INLINE float dot_bf16(const uint16_t *w, const float *x, size_t count) {
  RELAXED
  lanes a = {0}, b = {0}, c = {0}, d = {0};
  size_t i = 0;
  for (; i + 64 <= count; i += 64) {
    add_product(&a, w + i, x + i);
    add_product(&b, w + i + 16, x + i + 16);
    add_product(&c, w + i + 32, x + i + 32);
    add_product(&d, w + i + 48, x + i + 48);
  }
  for (; i + 16 <= count; i += 16) add_product(&a, w + i, x + i);
  a = (a + b) + (c + d);
  float sum = fold(&a);
  for (; i < count; i++) {
    uint32_t bits = (uint32_t)w[i] << 16;
    float value;
    memcpy(&value, &bits, 4);
    sum += value * x[i];
  }
  return sum;
}

INLINE void put(float *y, float value, int add) { *y = add ? *y + value : value; }

CLONES void ck_gemv_f32(float *y, size_t y_stride, const float *w, size_t w_stride, const float *x, size_t x_stride,
                        size_t rows, size_t columns, size_t vectors,
                        int add) {
  for (size_t r = 0; r < rows; r++, w += w_stride)
    for (size_t v = 0; v < vectors; v++)
      put(y + v * y_stride + r, dot_f32(w, x + v * x_stride, columns), add);
}

CLONES void ck_gemv_bf16(float *y, size_t y_stride, const uint16_t *w, size_t w_stride, const float *x,
                         size_t x_stride, size_t rows, size_t columns, size_t vectors,
                        int add) {
  for (size_t r = 0; r < rows; r++, w += w_stride)
    for (size_t v = 0; v < vectors; v++)
      put(y + v * y_stride + r, dot_bf16(w, x + v * x_stride, columns), add);
}

// Half precision goes through a tile in the first cache: only some clones can widen it.
CLONES void ck_gemv_f16(float *y, size_t y_stride, const uint16_t *w, size_t w_stride, const float *x,
                        size_t x_stride, size_t rows, size_t columns, size_t vectors,
                        int add) {
  enum { tile = 1024 };
  float wide[tile];
  for (size_t r = 0; r < rows; r++, w += w_stride) {
    if (!add)
      for (size_t v = 0; v < vectors; v++) y[v * y_stride + r] = 0;
    for (size_t start = 0; start < columns; start += tile) {
      size_t count = columns - start < tile ? columns - start : tile;
      ck_decode_f16((const uint8_t *)(w + start), wide, count);
      for (size_t v = 0; v < vectors; v++)
        y[v * y_stride + r] += dot_f32(wide, x + v * x_stride + start, count);
    }
  }
}

CLONES void ck_attend(float *y, const float *q, const float *k, const float *v, size_t k_stride,
                      size_t v_stride, size_t queries, size_t head_size, size_t first, size_t last,
                      float scale, float *scores) {
  RELAXED
  for (size_t j = first; j < last; j++)
    for (size_t h = 0; h < queries; h++)
      scores[h * last + j] =
          scale * dot_f32(k + j * k_stride, q + h * head_size, head_size);
  for (size_t h = 0; h < queries; h++) {
    float *row = scores + h * last, top = row[first], sum = 0;
    for (size_t j = first; j < last; j++) top = row[j] > top ? row[j] : top;
    for (size_t j = first; j < last; j++) {
      row[j] = ck_exp1(row[j] - top);
      sum += row[j];
    }
    for (size_t j = first; j < last; j++) row[j] /= sum;
    for (size_t i = 0; i < head_size; i++) y[h * head_size + i] = 0;
  }
  for (size_t j = first; j < last; j++)
    for (size_t h = 0; h < queries; h++) {
      float p = scores[h * last + j];
      for (size_t i = 0; i < head_size; i++) y[h * head_size + i] += p * v[j * v_stride + i];
    }
}
