#include "bf16_gemm.h"

// Matrix products with bfloat16 operands and float32 accumulation on arm64 (FEAT_BF16), with the
// roundings of BFDOT. Operands are rounded to nearest even while they are packed.

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif

#define TARGET __attribute__((target("bf16")))

enum {
  T = 8,    // rows and columns of a register tile
  KC = 256, // depth packed at once
  NC = 256, // columns of B packed at once
};

int ck_bf16_gemm_is_supported(void) {
#if defined(__linux__)
  return getauxval(AT_HWCAP2) >> 14 & 1; // HWCAP2_BF16
#else
  return 0;
#endif
}

// A panel of B and one of A, as pairs of depths.
size_t ck_bf16_gemm_workspace(void) { return sizeof(uint32_t) / 2 * KC * (NC + T); }

static inline uint32_t rounded(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return bits >> 16 | 0x40;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// Packs `lanes` lanes (rows of A, columns of B) of `depth` into panels of T lanes, zero beyond: a row
// of a panel holds one pair of depths for every lane, the first in the low half.
static void pack(uint32_t *out, const float *x, size_t lane_stride, size_t depth_stride,
                 size_t lanes, size_t depth) {
  for (size_t first = 0; first < lanes; first += T) {
    for (size_t p = 0; p < depth; p += 2) {
      for (size_t lane = first; lane < first + T; lane++) {
        const float *from = x + lane * lane_stride + p * depth_stride;
        uint32_t low = lane < lanes ? rounded(from[0]) : 0;
        uint32_t high = lane < lanes && p + 1 < depth ? rounded(from[depth_stride]) : 0;
        *out++ = low | high << 16;
      }
    }
  }
}

TARGET static inline bfloat16x8_t pairs_at(const uint32_t *in) {
  return vreinterpretq_bf16_u32(vld1q_u32(in));
}

// c[rows, columns] (+)= a panel of A times one of B, over `count` pairs of depths.
TARGET static void tile(float *c, size_t stride, const uint32_t *a, const uint32_t *b, size_t count,
                        size_t rows, size_t columns, int accumulate) {
  float32x4_t sums[T][2] = {0};
  for (size_t p = 0; p < count; p++, a += T, b += T) {
    bfloat16x8_t top = pairs_at(a), bottom = pairs_at(a + 4);
    bfloat16x8_t left = pairs_at(b), right = pairs_at(b + 4);
#define ROW(r, half, lane)                                                                         \
  sums[r][0] = vbfdotq_laneq_f32(sums[r][0], left, half, lane);                                    \
  sums[r][1] = vbfdotq_laneq_f32(sums[r][1], right, half, lane);
    ROW(0, top, 0) ROW(1, top, 1) ROW(2, top, 2) ROW(3, top, 3)
    ROW(4, bottom, 0) ROW(5, bottom, 1) ROW(6, bottom, 2) ROW(7, bottom, 3)
#undef ROW
  }
  for (size_t r = 0; r < rows; r++) {
    float row[T];
    vst1q_f32(row, sums[r][0]);
    vst1q_f32(row + 4, sums[r][1]);
    for (size_t j = 0; j < columns; j++)
      c[r * stride + j] = accumulate ? c[r * stride + j] + row[j] : row[j];
  }
}

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

void ck_bf16_gemm(float *c, size_t c_stride, const float *a, size_t a_row, size_t a_column,
                  const float *b, size_t b_row, size_t b_column, size_t m, size_t n, size_t k,
                  int accumulate, void *workspace) {
  uint32_t *packed_b = workspace, *packed_a = packed_b + KC / 2 * NC;
  for (size_t j = 0; j < n; j += NC) {
    size_t columns = smaller(NC, n - j);
    for (size_t p = 0; p < k; p += KC) {
      size_t depth = smaller(KC, k - p), count = (depth + 1) / 2;
      pack(packed_b, b + p * b_row + j * b_column, b_column, b_row, columns, depth);
      for (size_t i = 0; i < m; i += T) {
        size_t rows = smaller(T, m - i);
        pack(packed_a, a + i * a_row + p * a_column, a_row, a_column, rows, depth);
        for (size_t jr = 0; jr < columns; jr += T)
          tile(c + i * c_stride + j + jr, c_stride, packed_a, packed_b + jr * count, count, rows,
               smaller(T, columns - jr), accumulate || p > 0);
      }
    }
  }
}

#endif
