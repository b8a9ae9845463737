#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include "floats.h"
#include "maximum.h"

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

// The sums of four vectors, which meet halfway.
INLINE void fold4(float *sums, const lanes *a, const lanes *b, const lanes *c, const lanes *d) {
  RELAXED
#define INTERLEAVE(x, y, s)                                                                        \
  __builtin_shufflevector(x, y, s, 16 + s, 2 + s, 18 + s, 4 + s, 20 + s, 6 + s, 22 + s, 8 + s,     \
                          24 + s, 10 + s, 26 + s, 12 + s, 28 + s, 14 + s, 30 + s)
#define INTERLEAVE2(x, y, s)                                                                       \
  __builtin_shufflevector(x, y, s, 1 + s, 16 + s, 17 + s, 4 + s, 5 + s, 20 + s, 21 + s, 8 + s,     \
                          9 + s, 24 + s, 25 + s, 12 + s, 13 + s, 28 + s, 29 + s)
  lanes ab = INTERLEAVE(*a, *b, 0) + INTERLEAVE(*a, *b, 1);
  lanes cd = INTERLEAVE(*c, *d, 0) + INTERLEAVE(*c, *d, 1);
  lanes all = INTERLEAVE2(ab, cd, 0) + INTERLEAVE2(ab, cd, 2);
  for (int i = 0; i < 4; i++) sums[i] = (all[i] + all[i + 4]) + (all[i + 8] + all[i + 12]);
}

// Bytes between what is read and what is fetched. Processors stop fetching ahead where a page of
// 4 KiB ends; a core needs that much under way to read memory at its full rate.
enum { ahead = 4096, line = 64 };

// Sums of products of one row of weights with each of `vectors` vectors: the weights are read once.
// `vectors` is a constant where this is expanded, so that the sums stay in registers; there is room
// for four of them in `sums`, but for one where it is 1.
#define DOTS(name, Element, WIDEN, TAIL)                                                           \
  INLINE void name(float *sums, const Element *w, const float *x, size_t x_stride, size_t count,   \
                   size_t vectors) {                                                               \
    RELAXED                                                                                        \
    lanes a[4] = {{0}}, b[4] = {{0}}, c = {0}, d = {0}, wide;                                      \
    size_t i = 0;                                                                                  \
    for (; vectors == 1 && i + 64 <= count; i += 64) {                                             \
      for (size_t j = 0; j < 64 * sizeof(Element); j += line)                                      \
        __builtin_prefetch((const char *)(w + i) + ahead + j);                                     \
      WIDEN(wide, w + i);                                                                          \
      a[0] += wide * *(const lanes *)(x + i);                                                      \
      WIDEN(wide, w + i + 16);                                                                     \
      b[0] += wide * *(const lanes *)(x + i + 16);                                                 \
      WIDEN(wide, w + i + 32);                                                                     \
      c += wide * *(const lanes *)(x + i + 32);                                                    \
      WIDEN(wide, w + i + 48);                                                                     \
      d += wide * *(const lanes *)(x + i + 48);                                                    \
    }                                                                                              \
    for (; i + 32 <= count; i += 32) {                                                             \
      WIDEN(wide, w + i);                                                                          \
      for (size_t v = 0; v < vectors; v++) a[v] += wide * *(const lanes *)(x + v * x_stride + i);  \
      WIDEN(wide, w + i + 16);                                                                     \
      for (size_t v = 0; v < vectors; v++)                                                         \
        b[v] += wide * *(const lanes *)(x + v * x_stride + i + 16);                                \
    }                                                                                              \
    a[0] += c + d;                                                                                 \
    for (size_t v = 0; v < vectors; v++) a[v] += b[v];                                             \
    if (vectors == 1)                                                                              \
      sums[0] = fold(&a[0]);                                                                       \
    else                                                                                           \
      fold4(sums, &a[0], &a[1], &a[2], &a[3]);                                                     \
    for (size_t v = 0; v < vectors; v++)                                                           \
      for (size_t j = i; j < count; j++) sums[v] += TAIL(w[j]) * x[v * x_stride + j];              \
  }

#define WIDEN_F32(wide, w) wide = *(const lanes *)(w)
#define WIDEN_BF16(wide, w)                                                                        \
  wide = (lanes)(__builtin_convertvector(*(const halves *)(w), words) << 16)
#define AS_IT_IS(w) (w)
#define OF_BF16(w) float_of((uint32_t)(w) << 16)

DOTS(dots_f32, float, WIDEN_F32, AS_IT_IS)
DOTS(dots_bf16, uint16_t, WIDEN_BF16, OF_BF16)

INLINE void put(float *y, float value, int add) { *y = add ? *y + value : value; }

// Rows of weights times `vectors` vectors, as a constant.
#define ROWS(dots, vectors)                                                                        \
  for (size_t r = 0; r < rows; r++, w += w_stride) {                                               \
    float sums[4];                                                                                 \
    dots(sums, w, x, x_stride, columns, vectors);                                                  \
    for (size_t v = 0; v < vectors; v++) put(y + v * y_stride + r, sums[v], add);                  \
  }

#define GEMV(name, Element, dots)                                                                  \
  CLONES void name(float *y, size_t y_stride, const Element *w, size_t w_stride, const float *x,   \
                   size_t x_stride, size_t rows, size_t columns, size_t vectors, int add) {        \
    switch (vectors) {                                                                             \
    case 1: ROWS(dots, 1) break;                                                                   \
    case 2: ROWS(dots, 2) break;                                                                   \
    case 3: ROWS(dots, 3) break;                                                                   \
    case 4: ROWS(dots, 4) break;                                                                   \
    }                                                                                              \
  }

GEMV(ck_gemv_f32, float, dots_f32)
GEMV(ck_gemv_bf16, uint16_t, dots_bf16)

// Half precision goes through a tile in the first cache: only some clones can widen it.
CLONES void ck_gemv_f16(float *y, size_t y_stride, const uint16_t *w, size_t w_stride,
                        const float *x, size_t x_stride, size_t rows, size_t columns,
                        size_t vectors, int add) {
  enum { tile = 1024 };
  float wide[tile];
  for (size_t r = 0; r < rows; r++, w += w_stride) {
    if (!add)
      for (size_t v = 0; v < vectors; v++) y[v * y_stride + r] = 0;
    for (size_t start = 0; start < columns; start += tile) {
      size_t count = columns - start < tile ? columns - start : tile;
      ck_decode_f16((const uint8_t *)(w + start), wide, count);
      for (size_t v = 0; v < vectors; v++) {
        float sum;
        dots_f32(&sum, wide, x + v * x_stride + start, 0, count, 1);
        y[v * y_stride + r] += sum;
      }
    }
  }
}

// Keys or values that are taken together: those of one head then stay in the first cache.
enum { block = 64 };

// Scores of one head's query with the keys [first, last), scaled.
INLINE void score(float *scores, const float *q, const float *k, size_t k_stride, size_t head_size,
                  size_t first, size_t last, float scale) {
  RELAXED
  size_t j = first;
  // Four keys at a time, whose sums fold together.
  for (; j + 4 <= last; j += 4) {
    const float *row = k + j * k_stride;
    lanes a = {0}, b = {0}, c = {0}, d = {0};
    size_t i = 0;
    for (; i + 16 <= head_size; i += 16) {
      lanes x = *(const lanes *)(q + i);
      a += x * *(const lanes *)(row + i);
      b += x * *(const lanes *)(row + k_stride + i);
      c += x * *(const lanes *)(row + 2 * k_stride + i);
      d += x * *(const lanes *)(row + 3 * k_stride + i);
    }
    float sums[4];
    fold4(sums, &a, &b, &c, &d);
    for (size_t n = 0; n < 4; n++) {
      for (size_t t = i; t < head_size; t++) sums[n] += q[t] * row[n * k_stride + t];
      scores[j + n] = scale * sums[n];
    }
  }
  for (; j < last; j++) {
    float sum;
    dots_f32(&sum, k + j * k_stride, q, 0, head_size, 1);
    scores[j] = scale * sum;
  }
}

// y[width] += sum of scores[j] * v[j, :]; the sums of 64 columns stay in registers.
INLINE void mix(float *y, const float *scores, const float *v, size_t v_stride, size_t head_size,
                size_t first, size_t last) {
  RELAXED
  size_t i = 0;
  for (; i + 64 <= head_size; i += 64) {
    lanes a = *(lanes *)(y + i), b = *(lanes *)(y + i + 16), c = *(lanes *)(y + i + 32),
          d = *(lanes *)(y + i + 48);
    for (size_t j = first; j < last; j++) {
      const float *row = v + j * v_stride + i;
      float p = scores[j];
      a += p * *(const lanes *)row;
      b += p * *(const lanes *)(row + 16);
      c += p * *(const lanes *)(row + 32);
      d += p * *(const lanes *)(row + 48);
    }
    *(lanes *)(y + i) = a;
    *(lanes *)(y + i + 16) = b;
    *(lanes *)(y + i + 32) = c;
    *(lanes *)(y + i + 48) = d;
  }
  if (i == head_size) return;
  for (size_t j = first; j < last; j++)
    for (size_t t = i; t < head_size; t++) y[t] += scores[j] * v[j * v_stride + t];
}

CLONES void ck_attend(float *y, const float *q, const float *k, const float *v, size_t k_stride,
                      size_t v_stride, size_t queries, size_t head_size, size_t first, size_t last,
                      float scale, float cap, float *scores) {
  RELAXED
  for (size_t start = first; start < last; start += block) {
    size_t end = last - start < block ? last : start + block;
    for (size_t h = 0; h < queries; h++)
      score(scores + h * last, q + h * head_size, k, k_stride, head_size, start, end, scale);
  }
  if (cap > 0) {
    for (size_t h = 0; h < queries; h++)
      ck_softcap(scores + h * last + first, 0, 1, last - first, 1.0f, cap);
  }
  for (size_t h = 0; h < queries; h++) {
    float *row = scores + h * last, top = row_maximum(row + first, last - first), sum = 0;
    for (size_t j = first; j < last; j++) {
      row[j] = ck_exp1(row[j] - top);
      sum += row[j];
    }
    for (size_t j = first; j < last; j++) row[j] /= sum;
    for (size_t i = 0; i < head_size; i++) y[h * head_size + i] = 0;
  }
  for (size_t start = first; start < last; start += block) {
    size_t end = last - start < block ? last : start + block;
    for (size_t h = 0; h < queries; h++)
      mix(y + h * head_size, scores + h * last, v, v_stride, head_size, start, end);
  }
}
