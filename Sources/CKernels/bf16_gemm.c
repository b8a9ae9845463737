#include "bf16_gemm.h"

// Matrix products with bfloat16 operands and float32 accumulation (AVX512-BF16), in the blocked
// form of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).
//
// Operands stay float32 in memory and are rounded to nearest even while they are packed. The
// instruction adds two products per lane at once and flushes subnormals, so results are those of
// bf16 training, not those of the float32 kernels.

#if defined(__x86_64__)
#include "bf16_lanes.h"
#include "bf16_tiles.h"

#define TARGET BF16_TARGET

enum {
  MR = 14,      // rows of a register tile
  NR = 32,      // columns of a register tile: two vectors of 16
  MC = MR * 20, // rows of A that meet a panel of B, for the second-level cache
  MS = MR * 73, // rows of A packed at once
  KC = 384,     // depth packed at once, at most: a panel of B fits the first-level cache
  KS = 2304,    // depth up to which packed rows of A are kept for all columns
  NC = NR * 18, // columns of B packed at once, for the second-level cache
};

int ck_bf16_gemm_is_supported(void) {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
}

size_t ck_bf16_gemm_workspace(void) {
  if (ck_bf16_tiles_are_supported()) return ck_bf16_tiles_workspace();
  return sizeof(uint32_t) / 2 * ((size_t)KC * NC + (size_t)KS * MS);
}

// A packed panel is `width` lanes (rows of A, columns of B) wide; a row of it holds one pair of
// depths for every lane. The two functions below fill `part` lanes, zero beyond `filled`.

// From an operand whose lanes are contiguous: lane i at depth p is `x[p * stride + i]`.
TARGET static void pack_lanes(uint32_t *out, size_t width, size_t part, const float *x,
                              size_t stride, size_t filled, size_t depth) {
  __mmask16 load = first_lanes(filled);
  __mmask16 store = first_lanes(part);
  for (size_t p = 0; p < depth; p += 2) {
    __m512 first = _mm512_maskz_loadu_ps(load, x + p * stride);
    __m512 second =
        p + 1 < depth ? _mm512_maskz_loadu_ps(load, x + (p + 1) * stride) : _mm512_setzero_ps();
    _mm512_mask_storeu_epi32(out + p / 2 * width, store, pairs(first, second));
  }
}

// From an operand whose depth is contiguous: lane i at depth p is `x[i * stride + p]`.
TARGET static void pack_depth(uint32_t *out, size_t width, size_t part, const float *x,
                              size_t stride, size_t filled, size_t depth) {
  __mmask16 store = first_lanes(part);
  for (size_t p = 0; p < depth; p += 32) {
    size_t left = depth - p;
    __mmask16 low = first_lanes(left);
    __mmask16 high = left > 16 ? first_lanes(left - 16) : 0;
    __m512i rows[16];
    for (size_t lane = 0; lane < 16; lane++) {
      const float *row = x + lane * stride + p;
      // Thirty-two consecutive values of a lane are sixteen pairs of it.
      rows[lane] = lane < filled ? (__m512i)_mm512_cvtne2ps_pbh(
                                       _mm512_maskz_loadu_ps(high, row + 16),
                                       _mm512_maskz_loadu_ps(low, row))
                                 : _mm512_setzero_si512();
    }
    transpose16(rows);
    size_t count = left >= 32 ? 16 : (left + 1) / 2;
    for (size_t i = 0; i < count; i++) {
      _mm512_mask_storeu_epi32(out + (p / 2 + i) * width, store, rows[i]);
    }
  }
}

// Packs `lanes` lanes of `depth` into panels of `width`; one of the strides is 1.
TARGET static void pack(uint32_t *out, size_t width, const float *x, size_t lane_stride,
                        size_t depth_stride, size_t lanes, size_t depth) {
  size_t panel = (depth + 1) / 2 * width;
  for (size_t first = 0; first < lanes; first += width, out += panel) {
    for (size_t offset = 0; offset < width; offset += 16) {
      size_t part = width - offset < 16 ? width - offset : 16;
      size_t start = first + offset;
      size_t filled = lanes <= start ? 0 : lanes - start < part ? lanes - start : part;
      const float *from = x + (filled ? start * lane_stride : 0);
      if (lane_stride == 1) {
        pack_lanes(out + offset, width, part, from, depth_stride, filled, depth);
      } else {
        pack_depth(out + offset, width, part, from, lane_stride, filled, depth);
      }
    }
  }
}

// One register tile: c[rows, columns] (+)= panel of A times panel of B, over `count` pairs.
TARGET static void tile(float *c, size_t stride, const uint32_t *a, const uint32_t *b, size_t count,
                        size_t rows, size_t columns, int accumulate) {
  __m512 low[MR], high[MR];
  for (int i = 0; i < MR; i++) low[i] = high[i] = _mm512_setzero_ps();
  // The rows of c lie far apart; they arrive while the sums are made.
  for (size_t i = 0; i < rows; i++) {
    __builtin_prefetch(c + i * stride, 1);
    __builtin_prefetch(c + i * stride + 16, 1);
    __builtin_prefetch(c + i * stride + 31, 1);
  }
  for (size_t p = 0; p < count; p++, a += MR, b += NR) {
    __m512bh left = (__m512bh)_mm512_loadu_si512(b);
    __m512bh right = (__m512bh)_mm512_loadu_si512(b + 16);
#pragma clang loop unroll(full)
    for (int i = 0; i < MR; i++) {
      __m512bh value = (__m512bh)_mm512_set1_epi32((int)a[i]);
      low[i] = _mm512_dpbf16_ps(low[i], value, left);
      high[i] = _mm512_dpbf16_ps(high[i], value, right);
    }
  }
  __mmask16 first = first_lanes(columns);
  __mmask16 second = columns > 16 ? first_lanes(columns - 16) : 0;
  // A full unroll keeps the sums in registers: an index known only at run time would spill them.
#pragma clang loop unroll(full)
  for (size_t i = 0; i < MR; i++) {
    if (i < rows) {
      float *row = c + i * stride;
      if (accumulate) {
        low[i] = _mm512_add_ps(low[i], _mm512_maskz_loadu_ps(first, row));
        high[i] = _mm512_add_ps(high[i], _mm512_maskz_loadu_ps(second, row + 16));
      }
      _mm512_mask_storeu_ps(row, first, low[i]);
      _mm512_mask_storeu_ps(row + 16, second, high[i]);
    }
  }
}

// c[rows, columns] (+)= packed A times packed B, over `depth`.
TARGET static void block(float *c, size_t stride, const uint32_t *a, const uint32_t *b, size_t depth,
                         size_t rows, size_t columns, int accumulate) {
  size_t count = (depth + 1) / 2;
  for (size_t i = 0; i < rows; i += MC) {
    size_t end = smaller(i + MC, rows);
    for (size_t jr = 0; jr < columns; jr += NR) {
      for (size_t ir = i; ir < end; ir += MR) {
        tile(c + ir * stride + jr, stride, a + ir * count, b + jr * count, count,
             smaller(MR, rows - ir), smaller(NR, columns - jr), accumulate);
      }
    }
  }
}

TARGET void ck_bf16_gemm(float *c, size_t c_stride, const float *a, size_t a_row, size_t a_column,
                         const float *b, size_t b_row, size_t b_column, size_t m, size_t n,
                         size_t k, int accumulate, void *workspace) {
  if (ck_bf16_tiles_are_supported()) {
    ck_bf16_tiles_gemm(c, c_stride, a, a_row, a_column, b, b_row, b_column, m, n, k, accumulate,
                       workspace);
    return;
  }
  uint32_t *packed_b = workspace;
  uint32_t *packed_a = packed_b + (size_t)(KC / 2) * NC;
  // Even parts, of whole vectors of pairs.
  size_t parts = (k + KC - 1) / KC;
  size_t kc = parts ? ((k + parts - 1) / parts + 31) / 32 * 32 : KC;
  for (size_t i = 0; i < m; i += MS) {
    size_t rows = smaller(MS, m - i);
    for (size_t j = 0; j < n; j += NC) {
      size_t columns = smaller(NC, n - j);
      for (size_t p = 0; p < k; p += kc) {
        size_t depth = smaller(kc, k - p);
        uint32_t *part = packed_a + (k <= KS ? p / 2 * MS : 0);
        if (j == 0 || k > KS)
          pack(part, MR, a + i * a_row + p * a_column, a_row, a_column, rows, depth);
        pack(packed_b, NR, b + p * b_row + j * b_column, b_column, b_row, columns, depth);
        block(c + i * c_stride + j, c_stride, part, packed_b, depth, rows, columns,
              accumulate || p > 0);
      }
    }
  }
}

#elif !defined(__aarch64__)

int ck_bf16_gemm_is_supported(void) { return 0; }
size_t ck_bf16_gemm_workspace(void) { return 0; }
void ck_bf16_gemm(float *c, size_t c_stride, const float *a, size_t a_row, size_t a_column,
                  const float *b, size_t b_row, size_t b_column, size_t m, size_t n, size_t k,
                  int accumulate, void *workspace) {
  (void)c, (void)c_stride, (void)a, (void)a_row, (void)a_column, (void)b, (void)b_row;
  (void)b_column, (void)m, (void)n, (void)k, (void)accumulate, (void)workspace;
}

#endif
