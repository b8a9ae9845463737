#include "CConversions.h"
#include "CKernels.h"
#include "clones.h"
#include "floats.h"
#include "lanes.h"

// Products with few vectors, for which the weights are read from memory once. Every sum is taken in
// one order, lane by lane and then the lanes as a tree, however many vectors and rows stand beside
// it: a sequence gets the same bits alone and in a batch.

#define FUSED _Pragma("clang fp contract(fast)")

// Bytes between what is read and what is fetched. Processors stop fetching ahead where a page of
// 4 KiB ends; a core needs that much under way to read memory at its full rate, a smaller one half.
enum { ahead = 4096, near = 2048, line = 64 };

// Rows of weights and vectors whose sums stay in registers together.
enum { height = 4, breadth = 4 };

// Folds the lanes of `rows` sums with one vector, and adds what is left from `start` on.
#define FINISH(name, Element, TAIL)                                                                \
  INLINE void name(float *y, const lanes *sums, const Element *w, size_t w_stride, const float *x, \
                   size_t start, size_t columns, size_t rows, int add) {                           \
    FUSED                                                                                          \
    float folded[height];                                                                          \
    fold4(folded, &sums[0], &sums[1], &sums[2], &sums[3]);                                         \
    for (size_t r = 0; r < rows; r++) {                                                            \
      for (size_t j = start; j < columns; j++)                                                     \
        folded[r] += TAIL(w[r * w_stride + j]) * x[j];                                             \
      y[r] = add ? y[r] + folded[r] : folded[r];                                                   \
    }                                                                                              \
  }

// One vector: `abreast` rows at a time, a constant where this is expanded, in the order of memory. A
// sum waits for its own additions, so that narrow elements need several rows to keep up with a fast
// memory; a slower one likes a single stream. Fetched is what lies `distance` behind them, line after
// line: four places at a time cost a third of the rate.
#define ONE(name, Element, WIDEN, finish)                                                          \
  INLINE void name(float *y, const Element *w, size_t w_stride, const float *x, size_t columns,    \
                   size_t rows, size_t abreast, size_t distance, int add) {                        \
    FUSED                                                                                          \
    lanes sums[height] = {{0}}, wide;                                                              \
    size_t i = 0, many = rows == height ? abreast : 1;                                             \
    for (size_t r = 0; r < rows; r += many) {                                                      \
      const Element *row = w + r * w_stride;                                                       \
      const Element *next = many == 1 ? row : row + many * w_stride;                               \
      lanes sum[height] = {{0}};                                                                   \
      for (i = 0; i + 64 <= columns; i += 64) {                                                    \
        for (size_t n = 0; n < many; n++)                                                          \
          for (size_t j = 0; j < 64 * sizeof(Element); j += line)                                  \
            __builtin_prefetch((const char *)(next + many * i + 64 * n) + distance + j);           \
        for (size_t j = i; j < i + 64; j += 16) {                                                  \
          for (size_t n = 0; n < many; n++) {                                                      \
            WIDEN(wide, row + n * w_stride + j);                                                   \
            sum[n] += wide * *(const lanes *)(x + j);                                              \
          }                                                                                        \
        }                                                                                          \
      }                                                                                            \
      for (; i + 16 <= columns; i += 16) {                                                         \
        for (size_t n = 0; n < many; n++) {                                                        \
          WIDEN(wide, row + n * w_stride + i);                                                     \
          sum[n] += wide * *(const lanes *)(x + i);                                                \
        }                                                                                          \
      }                                                                                            \
      for (size_t n = 0; n < many; n++) sums[r + n] = sum[n];                                      \
    }                                                                                              \
    finish(y, sums, w, w_stride, x, i, columns, rows, add);                                        \
  }

// Lanes from `first` on, as many as `Lanes` has, of the sums of `height` rows with `vectors` vectors,
// a constant where this is expanded; up to where sixteen lanes no longer fill. Meanwhile some of the
// next rows, [from, to) of the following `height`, are fetched.
#define SUMS(name, Element, Lanes, WIDEN)                                                          \
  INLINE size_t name(lanes (*sums)[height], const Element *w, size_t w_stride, const float *x,     \
                     size_t x_stride, size_t columns, size_t vectors, size_t first, size_t from,   \
                     size_t to) {                                                                  \
    FUSED                                                                                          \
    Lanes own[breadth][height], part[breadth], wide;                                               \
    for (size_t v = 0; v < vectors; v++)                                                           \
      for (size_t r = 0; r < height; r++) own[v][r] = (Lanes){0};                                  \
    size_t i = 0;                                                                                  \
    for (; i + 16 <= columns; i += 16) {                                                           \
      for (size_t r = from; r < to; r++) __builtin_prefetch(w + (height + r) * w_stride + i);      \
      for (size_t v = 0; v < vectors; v++)                                                         \
        part[v] = *(const Lanes *)(x + v * x_stride + i + first);                                  \
      for (size_t r = 0; r < height; r++) {                                                        \
        WIDEN(wide, w + r * w_stride + i + first);                                                 \
        for (size_t v = 0; v < vectors; v++) own[v][r] += wide * part[v];                          \
      }                                                                                            \
    }                                                                                              \
    for (size_t v = 0; v < vectors; v++)                                                           \
      for (size_t r = 0; r < height; r++) *(Lanes *)((float *)&sums[v][r] + first) = own[v][r];    \
    return i;                                                                                      \
  }

// Whether all sums of a tile stay in registers: 32 of sixteen lanes. Where they do not, one half of
// the lanes comes after the other, and four vectors in pairs.
INLINE int has_wide_registers(void) {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512f");
#else
  return 0;
#endif
}

// `height` rows with `vectors` vectors, a constant where this is expanded.
#define TILE(name, Element, sums_of, halves_of, finish)                                            \
  INLINE void name(float *y, size_t y_stride, const Element *w, size_t w_stride, const float *x,   \
                   size_t x_stride, size_t columns, size_t vectors, size_t from, size_t to,        \
                   int is_wide, int add) {                                                         \
    lanes sums[breadth][height];                                                                   \
    size_t i = 0, few = vectors > 3 ? 2 : vectors;                                                 \
    if (is_wide) {                                                                                 \
      i = sums_of(sums, w, w_stride, x, x_stride, columns, vectors, 0, from, to);                  \
    } else {                                                                                       \
      for (size_t first = 0; first < 16; first += 8, to = from) {                                  \
        i = halves_of(sums, w, w_stride, x, x_stride, columns, few, first, from, to);              \
        if (vectors > few)                                                                         \
          halves_of(sums + few, w, w_stride, x + few * x_stride, x_stride, columns, few, first, 0, \
                    0);                                                                            \
      }                                                                                            \
    }                                                                                              \
    for (size_t v = 0; v < vectors; v++)                                                           \
      finish(y + v * y_stride, sums[v], w, w_stride, x + v * x_stride, i, columns, height, add);   \
  }

#define WIDEN_F32(wide, w) wide = *(const lanes *)(w)
#define WIDEN_BF16(wide, w)                                                                        \
  wide = (lanes)(__builtin_convertvector(*(const halves *)(w), words) << 16)
#define HALF_F32(wide, w) wide = *(const half_lanes *)(w)
#define HALF_BF16(wide, w)                                                                         \
  wide = (half_lanes)(__builtin_convertvector(*(const half_halves *)(w), half_words) << 16)
#define AS_IT_IS(w) (w)
#define OF_BF16(w) float_of((uint32_t)(w) << 16)

FINISH(finish_f32, float, AS_IT_IS)
FINISH(finish_bf16, uint16_t, OF_BF16)
ONE(one_f32, float, WIDEN_F32, finish_f32)
ONE(one_bf16, uint16_t, WIDEN_BF16, finish_bf16)
SUMS(sums_f32, float, lanes, WIDEN_F32)
SUMS(sums_bf16, uint16_t, lanes, WIDEN_BF16)
SUMS(halves_f32, float, half_lanes, HALF_F32)
SUMS(halves_bf16, uint16_t, half_lanes, HALF_BF16)
TILE(tile_f32, float, sums_f32, halves_f32, finish_f32)
TILE(tile_bf16, uint16_t, sums_bf16, halves_bf16, finish_bf16)

// `height` rows with all vectors, `breadth` at a time; the tiles share in fetching the next rows.
#define BAND(name, Element, one, tile, abreast)                                                    \
  INLINE void name(float *y, size_t y_stride, const Element *w, size_t w_stride, const float *x,   \
                   size_t x_stride, size_t columns, size_t vectors, int is_wide, int add) {        \
    if (vectors == 1 && is_wide)                                                                   \
      return one(y, w, w_stride, x, columns, height, abreast, ahead, add);                         \
    if (vectors == 1) return one(y, w, w_stride, x, columns, height, 1, near, add);                \
    size_t tiles = (vectors + breadth - 1) / breadth;                                              \
    for (size_t t = 0; t < tiles; t++, y += breadth * y_stride, x += breadth * x_stride) {         \
      size_t from = height * t / tiles, to = height * (t + 1) / tiles;                             \
      switch (vectors - breadth * t) {                                                             \
      case 1:                                                                                      \
        tile(y, y_stride, w, w_stride, x, x_stride, columns, 1, from, to, is_wide, add);           \
        break;                                                                                     \
      case 2:                                                                                      \
        tile(y, y_stride, w, w_stride, x, x_stride, columns, 2, from, to, is_wide, add);           \
        break;                                                                                     \
      case 3:                                                                                      \
        tile(y, y_stride, w, w_stride, x, x_stride, columns, 3, from, to, is_wide, add);           \
        break;                                                                                     \
      default: tile(y, y_stride, w, w_stride, x, x_stride, columns, 4, from, to, is_wide, add);    \
      }                                                                                            \
    }                                                                                              \
  }

BAND(band_f32, float, one_f32, tile_f32, 1)
BAND(band_bf16, uint16_t, one_bf16, tile_bf16, 4)

#define GEMV(name, Element, one, band)                                                             \
  CLONES void name(float *y, size_t y_stride, const Element *w, size_t w_stride, const float *x,   \
                   size_t x_stride, size_t rows, size_t columns, size_t vectors, int add) {        \
    size_t r = 0;                                                                                  \
    int is_wide = has_wide_registers();                                                            \
    for (; r + height <= rows; r += height, w += height * w_stride)                                \
      band(y + r, y_stride, w, w_stride, x, x_stride, columns, vectors, is_wide, add);             \
    for (; r < rows; r++, w += w_stride)                                                           \
      for (size_t v = 0; v < vectors; v++)                                                         \
        one(y + v * y_stride + r, w, w_stride, x + v * x_stride, columns, 1, 1, near, add);        \
  }

GEMV(ck_gemv_f32, float, one_f32, band_f32)
GEMV(ck_gemv_bf16, uint16_t, one_bf16, band_bf16)

// Weights that only some clones can widen, or that share scales, go through a tile in the first cache.
// `Stored` counts in `stride`; `at(start)` is where element `start` of a row lies; `ONE` makes the
// sums of `height` rows with one vector where it has a shorter way to the same bits.
#define TILED_GEMV(name, Stored, at, DECODE, ONE)                                                  \
  CLONES void name(float *y, size_t y_stride, const Stored *w, size_t w_stride, const float *x,    \
                   size_t x_stride, size_t rows, size_t columns, size_t vectors, int add) {        \
    enum { width = 1024 };                                                                         \
    float wide[height * width];                                                                    \
    int is_wide = has_wide_registers();                                                            \
    for (size_t r = 0; r < rows; r += height, w += height * w_stride) {                            \
      size_t count = rows - r < height ? rows - r : height;                                        \
      for (size_t start = 0; start < columns; start += width) {                                    \
        size_t part = columns - start < width ? columns - start : width;                           \
        if (vectors == 1 && count == height &&                                                     \
            ONE(y + r, w + at(start), w_stride, x + start, part, add || start > 0))                \
          continue;                                                                                \
        for (size_t i = 0; i < count; i++)                                                         \
          DECODE((const uint8_t *)(w + i * w_stride + at(start)), wide + i * part, part);          \
        int adds = add || start > 0;                                                               \
        if (count == height)                                                                       \
          band_f32(                                                                                \
              y + r, y_stride, wide, part, x + start, x_stride, part, vectors, is_wide, adds);     \
        else                                                                                       \
          for (size_t v = 0; v < vectors; v++)                                                     \
            one_f32(                                                                               \
                y + v * y_stride + r, wide, part, x + v * x_stride + start, part, count, 1, near,  \
                adds);                                                                             \
      }                                                                                            \
    }                                                                                              \
  }

#define AT_BLOCK(start) ((start) / 32 * 34)

typedef int8_t codes __attribute__((vector_size(16), aligned(1)));
typedef int32_t integers __attribute__((vector_size(64)));

#define WIDEN_CODES(wide, scale, in)                                                               \
  wide = (scale) * __builtin_convertvector(                                                        \
                       __builtin_convertvector(*(const codes *)(in), integers), lanes)

// The scales of up to 32 blocks of 32 codes behind a float16, widened side by side: one by one they
// would take longer than the codes.
INLINE void widen_scales(float *scales, const uint8_t *in, size_t blocks) {
  uint16_t narrow[32] = {0};
  for (size_t b = 0; b < blocks; b++) memcpy(&narrow[b], in + 34 * b, sizeof narrow[b]);
  for (size_t b = 0; b < 32; b++) scales[b] = half_to_float(narrow[b]);
}

// The values of `ck_dequantise_q8_0`.
INLINE void decode_blocks(const uint8_t *in, float *out, size_t count) {
  float scales[32];
  widen_scales(scales, in, count / 32);
  for (size_t i = 0; i < count; i += 16)
    WIDEN_CODES(*(lanes *)(out + i), scales[i / 32], in + i / 32 * 34 + 2 + i % 32);
}

// `height` rows with one vector: what `one_f32` makes of the decoded rows, without their detour.
INLINE void one_of_blocks(float *y, const uint8_t *w, size_t w_stride, const float *x,
                          size_t columns, int add) {
  FUSED
  lanes sums[height], wide;
  float scales[height][32], folded[height];
  for (size_t r = 0; r < height; r++) widen_scales(scales[r], w + r * w_stride, columns / 32);
  for (size_t r = 0; r < height; r++, w += w_stride) {
    lanes sum = {0};
    for (size_t b = 0; b < columns / 32; b++) {
      const uint8_t *block = w + 34 * b + 2;
      __builtin_prefetch(block + ahead);
      WIDEN_CODES(wide, scales[r][b], block);
      sum += wide * *(const lanes *)(x + 32 * b);
      WIDEN_CODES(wide, scales[r][b], block + 16);
      sum += wide * *(const lanes *)(x + 32 * b + 16);
    }
    sums[r] = sum;
  }
  fold4(folded, &sums[0], &sums[1], &sums[2], &sums[3]);
  for (size_t r = 0; r < height; r++) y[r] = add ? y[r] + folded[r] : folded[r];
}

#define NO_SHORT_WAY(y, w, w_stride, x, columns, add) 0
#define BLOCKS_SHORT_WAY(y, w, w_stride, x, columns, add)                                          \
  (one_of_blocks(y, w, w_stride, x, columns, add), 1)

TILED_GEMV(ck_gemv_f16, uint16_t, AS_IT_IS, ck_decode_f16, NO_SHORT_WAY)
TILED_GEMV(ck_gemv_q8_0, uint8_t, AT_BLOCK, decode_blocks, BLOCKS_SHORT_WAY)
