#include <math.h>

#include "CKernels.h"
#include "clones.h"
#include "exponential.h"

CLONES void ck_swiglu(float *y, size_t y_stride, const float *gate_up, size_t rows, size_t width) {
#pragma clang fp contract(fast)
  for (size_t r = 0; r < rows; r++, y += y_stride, gate_up += 2 * width) {
    const float *up = gate_up + width;
    for (size_t i = 0; i < width; i++) y[i] = gate_up[i] * ck_sigmoid1(gate_up[i]) * up[i];
  }
}

CLONES void ck_swiglu_backward(float *d_gate_up, float *y, const float *dy, const float *gate_up,
                               size_t rows, size_t width) {
#pragma clang fp contract(fast)
  for (size_t r = 0; r < rows; r++, y += width, dy += width, gate_up += 2 * width,
              d_gate_up += 2 * width) {
#pragma clang loop vectorize(assume_safety)
    for (size_t i = 0; i < width; i++) {
      float gate = gate_up[i], up = gate_up[width + i], d = dy[i];
      float sigmoid = ck_sigmoid1(gate);
      float silu = gate * sigmoid;
      y[i] = silu * up;
      d_gate_up[i] = d * up * (sigmoid + silu * (1.0f - sigmoid));
      d_gate_up[width + i] = d * silu;
    }
  }
}

// x * Phi(x) = x * sigmoid(2 t) with t = sqrt(2/pi) * (x + 0.044715 x^3); `slope` gets its derivative.
static inline __attribute__((always_inline)) float gelu_tanh(float x, float *slope) {
#pragma clang fp contract(fast)
  const float twice = 1.5957691216f, cubic = 0.044715f;
  float square = x * x;
  float share = ck_sigmoid1(twice * x * (1.0f + cubic * square));
  *slope = share + x * share * (1.0f - share) * twice * (1.0f + 3.0f * cubic * square);
  return x * share;
}

static inline __attribute__((always_inline)) float gelu(float x, float *slope) {
#pragma clang fp contract(fast)
  float share = 0.5f * (1.0f + erff(x * 0.70710678f));
  *slope = share + x * 0.39894228f * ck_exp1(-0.5f * x * x);
  return x * share;
}

// One loop for both, so that they differ in the unit alone.
#define GATED(name, unit)                                                                          \
  CLONES void name(float *y, size_t y_stride, const float *gate_up, size_t rows, size_t width) {   \
    for (size_t r = 0; r < rows; r++, y += y_stride, gate_up += 2 * width) {                       \
      float slope;                                                                                 \
      for (size_t i = 0; i < width; i++) y[i] = unit(gate_up[i], &slope) * gate_up[width + i];     \
    }                                                                                              \
  }                                                                                                \
                                                                                                   \
  CLONES void name##_backward(float *d_gate_up, float *y, const float *dy, const float *gate_up,   \
                              size_t rows, size_t width) {                                         \
    for (size_t r = 0; r < rows; r++, y += width, dy += width, gate_up += 2 * width,               \
                d_gate_up += 2 * width) {                                                          \
      for (size_t i = 0; i < width; i++) {                                                         \
        float gate = gate_up[i], up = gate_up[width + i], d = dy[i], slope;                        \
        float active = unit(gate, &slope);                                                         \
        y[i] = active * up;                                                                        \
        d_gate_up[i] = d * up * slope;                                                             \
        d_gate_up[width + i] = d * active;                                                         \
      }                                                                                            \
    }                                                                                              \
  }

GATED(ck_geglu_tanh, gelu_tanh)
GATED(ck_geglu, gelu)
