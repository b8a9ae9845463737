#pragma once

#include <stddef.h>
#include <stdint.h>

// Sixteen lanes at any alignment: one zmm, two ymm or four xmm, as the clone has them.
typedef float lanes __attribute__((vector_size(64), aligned(4)));
typedef uint16_t halves __attribute__((vector_size(32), aligned(2)));
typedef uint32_t words __attribute__((vector_size(64)));

// Half of them.
typedef float half_lanes __attribute__((vector_size(32), aligned(4)));
typedef uint16_t half_halves __attribute__((vector_size(16), aligned(2)));
typedef uint32_t half_words __attribute__((vector_size(32)));

// Vectors cross functions by address: by value they would need one instruction set everywhere.
#define INLINE static inline __attribute__((always_inline))

// The sums of four vectors, which meet halfway; each of the four as a balanced tree of neighbours,
// whatever stands beside it.
INLINE void fold4(float *sums, const lanes *a, const lanes *b, const lanes *c, const lanes *d) {
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
