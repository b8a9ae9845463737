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
