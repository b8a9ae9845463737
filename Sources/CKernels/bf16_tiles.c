#include "bf16_tiles.h"

// The products of bf16_gemm.c in tile registers of 16 rows of 64 bytes: one instruction adds a tile of
// A, [16 rows][16 pairs], times one of B, [16 pairs][16 columns], to one of C, [16][16] in float32.
// It rounds to nearest even and flushes subnormals; the even and the odd depths of 32 are summed
// apart and then added (Intel's "Architecture Instruction Set Extensions", TDPBF16PS).

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdatomic.h>
#include <string.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "bf16_lanes.h"

#define TARGET                                                                                     \
  __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512bf16,avx512dq")))

enum {
  T = 16,           // rows and columns of a tile
  D = 32,           // depth of a tile
  TILE = T * D / 2, // pairs in a tile
  R = 2 * T,        // rows and columns of a register block: two by two tiles
  MC = R * 10,      // rows of A that meet a panel of B, for the second-level cache
  MS = R * 32,      // rows of A packed at once
  KC = D * 16,      // depth packed at once, at most: a panel of B fits the first-level cache
  KS = D * 72,      // depth up to which packed rows of A are kept for all columns
  NC = R * 18,      // columns of B packed at once
};

// arch_prctl(2): asks for the state of the tile registers, which threads have only then.
enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

static int ask(void) {
#if defined(__linux__)
  unsigned a, b, c, d;
  if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512bw")) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  if (!(d >> 22 & 1) || !(d >> 24 & 1)) return 0; // AMX-BF16, AMX-TILE
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
  return 0;
#endif
}

int ck_bf16_tiles_are_supported(void) {
  static _Atomic int answer = -1;
  int known = atomic_load_explicit(&answer, memory_order_relaxed);
  if (known < 0) {
    known = ask();
    atomic_store_explicit(&answer, known, memory_order_relaxed);
  }
  return known;
}

size_t ck_bf16_tiles_workspace(void) {
  return sizeof(uint32_t) * (64 / 4 + (size_t)KC / 2 * NC + (size_t)KS / 2 * MS);
}

// One tile of `lanes` (rows of A, columns of B) and 32 depths: lane i at depth p is
// `x[i * lane_stride + p * depth_stride]`, one of the strides is 1, and zero lies beyond `lanes` and
// `depth`. Each row of the result has all pairs of a lane with `by_lane`, else a pair of each lane.
TARGET static inline void pack_tile(uint32_t *out, const float *x, size_t lane_stride,
                                    size_t depth_stride, size_t lanes, size_t depth, int by_lane) {
  __m512i rows[T];
  if (lane_stride == 1) {
    __mmask16 load = first_lanes(lanes);
    for (size_t i = 0; i < T; i++) {
      const float *from = x + 2 * i * depth_stride;
      __m512 first = 2 * i < depth ? _mm512_maskz_loadu_ps(load, from) : _mm512_setzero_ps();
      __m512 second =
          2 * i + 1 < depth ? _mm512_maskz_loadu_ps(load, from + depth_stride) : _mm512_setzero_ps();
      rows[i] = pairs(first, second);
    }
  } else {
    __mmask16 low = first_lanes(depth);
    __mmask16 high = depth > 16 ? first_lanes(depth - 16) : 0;
    for (size_t i = 0; i < T; i++) {
      const float *from = x + i * lane_stride;
      rows[i] = i < lanes ? (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, from + 16),
                                                         _mm512_maskz_loadu_ps(low, from))
                          : _mm512_setzero_si512();
    }
  }
  if ((lane_stride == 1) == by_lane) transpose16(rows);
  for (size_t i = 0; i < T; i++) _mm512_store_si512(out + T * i, rows[i]);
}

// Packs `lanes` lanes of `depth` into panels of two tiles of lanes, one 32 depths after the other.
TARGET static void pack(uint32_t *out, const float *x, size_t lane_stride, size_t depth_stride,
                        size_t lanes, size_t depth, int by_lane) {
  for (size_t first = 0; first < lanes; first += R) {
    for (size_t p = 0; p < depth; p += D) {
      for (size_t i = first; i < first + R; i += T, out += TILE) {
        size_t filled = i < lanes ? smaller(T, lanes - i) : 0;
        pack_tile(out, x + (filled ? i * lane_stride + p * depth_stride : 0), lane_stride,
                  depth_stride, filled, depth - p, by_lane);
      }
    }
  }
}

// c[32, 32] (+)= a panel of A times one of B, over `count` times 32 depths.
TARGET static inline void tiles(float *c, size_t stride, const uint32_t *a, const uint32_t *b,
                                size_t count, int accumulate) {
  size_t bytes = sizeof(float) * stride;
  if (accumulate) {
    _tile_loadd(0, c, bytes);
    _tile_loadd(1, c + T, bytes);
    _tile_loadd(2, c + T * stride, bytes);
    _tile_loadd(3, c + T * stride + T, bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (size_t p = 0; p < count; p++, a += 2 * TILE, b += 2 * TILE) {
    _tile_loadd(6, b, 64);
    _tile_loadd(4, a, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + TILE, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + TILE, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, bytes);
  _tile_stored(1, c + T, bytes);
  _tile_stored(2, c + T * stride, bytes);
  _tile_stored(3, c + T * stride + T, bytes);
}

// The same where c has fewer rows or columns.
TARGET static void edge(float *c, size_t stride, const uint32_t *a, const uint32_t *b, size_t count,
                        size_t rows, size_t columns, int accumulate) {
  _Alignas(64) float whole[R * R];
  for (size_t i = 0; i < rows && accumulate; i++) {
    memcpy(whole + R * i, c + stride * i, sizeof(float) * columns);
  }
  tiles(whole, R, a, b, count, accumulate);
  for (size_t i = 0; i < rows; i++) {
    memcpy(c + stride * i, whole + R * i, sizeof(float) * columns);
  }
}

// c[rows, columns] (+)= packed A times packed B, over `depth`.
TARGET static void block(float *c, size_t stride, const uint32_t *a, const uint32_t *b, size_t depth,
                         size_t rows, size_t columns, int accumulate) {
  size_t count = (depth + D - 1) / D;
  for (size_t i = 0; i < rows; i += MC) {
    size_t end = smaller(i + MC, rows);
    for (size_t j = 0; j < columns; j += R) {
      for (size_t ir = i; ir < end; ir += R) {
        const uint32_t *left = a + ir / T * count * TILE, *right = b + j / T * count * TILE;
        float *to = c + ir * stride + j;
        if (end - ir >= R && columns - j >= R) {
          tiles(to, stride, left, right, count, accumulate);
        } else {
          edge(to, stride, left, right, count, smaller(R, end - ir), smaller(R, columns - j),
               accumulate);
        }
      }
    }
  }
}

TARGET void ck_bf16_tiles_gemm(float *c, size_t c_stride, const float *a, size_t a_row,
                               size_t a_column, const float *b, size_t b_row, size_t b_column,
                               size_t m, size_t n, size_t k, int accumulate, void *workspace) {
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } shape = {.palette = 1};
  for (int i = 0; i < 8; i++) shape.row_bytes[i] = 64, shape.rows[i] = T;
  _tile_loadconfig(&shape);
  uint32_t *packed_b = (uint32_t *)(((uintptr_t)workspace + 63) / 64 * 64);
  uint32_t *packed_a = packed_b + (size_t)KC / 2 * NC;
  // Even parts, of whole tiles.
  size_t parts = (k + KC - 1) / KC;
  size_t kc = parts ? ((k + parts - 1) / parts + D - 1) / D * D : KC;
  for (size_t i = 0; i < m; i += MS) {
    size_t rows = smaller(MS, m - i);
    for (size_t j = 0; j < n; j += NC) {
      size_t columns = smaller(NC, n - j);
      for (size_t p = 0; p < k; p += kc) {
        size_t depth = smaller(kc, k - p);
        uint32_t *part = packed_a + (k <= KS ? p / 2 * MS : 0);
        if (j == 0 || k > KS)
          pack(part, a + i * a_row + p * a_column, a_row, a_column, rows, depth, 1);
        pack(packed_b, b + p * b_row + j * b_column, b_column, b_row, columns, depth, 0);
        block(c + i * c_stride + j, c_stride, part, packed_b, depth, rows, columns,
              accumulate || p > 0);
      }
    }
  }
  _tile_release();
}

#endif
