// SHA-256 of the same bytes in two running digests at once (FIPS 180-4).
//
// One digest leaves the processor's SHA unit idle half of the time, because each pair of rounds
// waits for the one before. Two digests of the same bytes share the message schedule as well, so
// that both together cost little more than one.

// The structure of a running digest is public in all versions; the calls are deprecated since 3.0,
// in favour of ones that hide it.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "CDigest.h"

#include <openssl/sha.h>
#include <stdlib.h>

struct ck_sha256_pair {
  SHA256_CTX first, second;
};

ck_sha256_pair *ck_sha256_pair_new(void) {
  ck_sha256_pair *pair = malloc(sizeof *pair);
  if (pair) {
    SHA256_Init(&pair->first);
    SHA256_Init(&pair->second);
  }
  return pair;
}

void ck_sha256_pair_free(ck_sha256_pair *pair) { free(pair); }

void ck_sha256_pair_update_first(ck_sha256_pair *pair, const void *bytes, size_t count) {
  SHA256_Update(&pair->first, bytes, count);
}

void ck_sha256_pair_finish_first(ck_sha256_pair *pair, unsigned char *digest) {
  SHA256_Final(digest, &pair->first);
  SHA256_Init(&pair->first);
}

void ck_sha256_pair_finish_second(ck_sha256_pair *pair, unsigned char *digest) {
  SHA256_Final(digest, &pair->second);
  SHA256_Init(&pair->second);
}

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define SHA_UNIT __attribute__((target("sha,sse4.1,ssse3")))

// Eight words a…h in the order that the instructions want: a b e f, and c d g h.
typedef struct {
  __m128i abef, cdgh;
} State;

SHA_UNIT static State load(const SHA256_CTX *digest) {
  __m128i low = _mm_loadu_si128((const __m128i *)digest->h);
  __m128i high = _mm_loadu_si128((const __m128i *)(digest->h + 4));
  low = _mm_shuffle_epi32(low, 0xB1);
  high = _mm_shuffle_epi32(high, 0x1B);
  return (State){_mm_alignr_epi8(low, high, 8), _mm_blend_epi16(high, low, 0xF0)};
}

SHA_UNIT static void store(SHA256_CTX *digest, State state) {
  __m128i low = _mm_shuffle_epi32(state.abef, 0x1B);
  __m128i high = _mm_shuffle_epi32(state.cdgh, 0xB1);
  _mm_storeu_si128((__m128i *)digest->h, _mm_blend_epi16(low, high, 0xF0));
  _mm_storeu_si128((__m128i *)(digest->h + 4), _mm_alignr_epi8(high, low, 8));
}

// Adds whole blocks of 64 bytes to both digests.
SHA_UNIT static void add_blocks(ck_sha256_pair *pair, const uint8_t *bytes, size_t count) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  State a = load(&pair->first), b = load(&pair->second);
  for (; count > 0; count--, bytes += 64) {
    __m128i w[4];  // The next sixteen words of the schedule.
    for (int i = 0; i < 4; i++)
      w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes + i), big_endian);
    const State a0 = a, b0 = b;
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
      __m128i k = _mm_add_epi32(w[i & 3], _mm_load_si128((const __m128i *)(constants + 4 * i)));
      a.cdgh = _mm_sha256rnds2_epu32(a.cdgh, a.abef, k);
      b.cdgh = _mm_sha256rnds2_epu32(b.cdgh, b.abef, k);
      if (i < 12) {
        __m128i next = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
        next = _mm_add_epi32(next, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
        w[i & 3] = _mm_sha256msg2_epu32(next, w[(i + 3) & 3]);
      }
      k = _mm_shuffle_epi32(k, 0x0E);
      a.abef = _mm_sha256rnds2_epu32(a.abef, a.cdgh, k);
      b.abef = _mm_sha256rnds2_epu32(b.abef, b.cdgh, k);
    }
    a.abef = _mm_add_epi32(a.abef, a0.abef);
    a.cdgh = _mm_add_epi32(a.cdgh, a0.cdgh);
    b.abef = _mm_add_epi32(b.abef, b0.abef);
    b.cdgh = _mm_add_epi32(b.cdgh, b0.cdgh);
  }
  store(&pair->first, a);
  store(&pair->second, b);
}

// The digest's length, in bits, in two words.
static void add_length(SHA256_CTX *digest, size_t count) {
  const uint64_t bits = ((uint64_t)digest->Nh << 32 | digest->Nl) + ((uint64_t)count << 3);
  digest->Nl = (SHA_LONG)bits;
  digest->Nh = (SHA_LONG)(bits >> 32);
}

static bool has_sha_unit(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1)) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

// Adds as many bytes as can be added to both at once; their number.
static size_t add_both(ck_sha256_pair *pair, const void *bytes, size_t count) {
  // Both must be at the border of a block.
  if (pair->first.num != 0 || pair->second.num != 0 || count < 64 || !has_sha_unit()) return 0;
  add_blocks(pair, bytes, count / 64);
  const size_t added = count & ~(size_t)63;
  add_length(&pair->first, added);
  add_length(&pair->second, added);
  return added;
}

#else

static size_t add_both(ck_sha256_pair *pair, const void *bytes, size_t count) {
  (void)pair, (void)bytes, (void)count;
  return 0;
}

#endif

void ck_sha256_pair_update(ck_sha256_pair *pair, const void *bytes, size_t count) {
  const size_t added = add_both(pair, bytes, count);
  SHA256_Update(&pair->first, (const char *)bytes + added, count - added);
  SHA256_Update(&pair->second, (const char *)bytes + added, count - added);
}
