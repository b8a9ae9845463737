#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include "lanes.h"
#include "maximum.h"

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
    const float *row = k + j * k_stride;
    lanes a = {0}, none = {0};
    size_t i = 0;
    for (; i + 16 <= head_size; i += 16) a += *(const lanes *)(q + i) * *(const lanes *)(row + i);
    float sums[4];
    fold4(sums, &a, &none, &none, &none);
    for (; i < head_size; i++) sums[0] += q[i] * row[i];
    scores[j] = scale * sums[0];
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
