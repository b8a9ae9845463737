#include "CKernels.h"
#include "clones.h"
#include "hyperbolic.h"

static inline __attribute__((always_inline)) void capped(float *x, size_t count, float scale,
                                                         float cap) {
  float inverse = scale / cap;
  for (size_t i = 0; i < count; i++) x[i] = cap * ck_tanh1(x[i] * inverse);
}

CLONES void ck_softcap(float *x, size_t stride, size_t rows, size_t columns, float scale,
                       float cap) {
  for (size_t r = 0; r < rows; r++, x += stride) {
    if (cap > 0) {
      capped(x, columns, scale, cap);
    } else {
      for (size_t i = 0; i < columns; i++) x[i] *= scale;
    }
  }
}

CLONES void ck_softcap_visible(float *x, size_t stride, const int32_t *first, const int32_t *last,
                               size_t rows, float scale, float cap) {
  for (size_t r = 0; r < rows; r++, x += stride)
    capped(x + first[r], (size_t)(last[r] - first[r]), scale, cap);
}

CLONES void ck_softcap_softmax_backward(float *scores, float *d, size_t stride,
                                        const int32_t *first, const int32_t *last, size_t rows,
                                        size_t columns, float scale, float cap,
                                        const float *log_sum) {
  RELAXED
  float inverse = scale / cap;
  for (size_t r = 0; r < rows; r++, scores += stride, d += stride) {
    size_t start = (size_t)first[r], end = (size_t)last[r];
    float shift = log_sum[r], centre = 0;
    for (size_t i = 0; i < start; i++) scores[i] = d[i] = 0;
    for (size_t i = start; i < end; i++)
      centre += ck_exp1(cap * ck_tanh1(scores[i] * inverse) - shift) * d[i];
    for (size_t i = start; i < end; i++) {
      float t = ck_tanh1(scores[i] * inverse);
      float p = ck_exp1(cap * t - shift);
      scores[i] = p;
      d[i] = scale * (1.0f - t * t) * p * (d[i] - centre);
    }
    for (size_t i = end; i < columns; i++) scores[i] = d[i] = 0;
  }
}
