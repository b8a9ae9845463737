#include "CKernels.h"
#include "clones.h"
#include "hyperbolic.h"

// Every row's result is its own, whatever other rows there are.
CLONES void ck_gate(float *y, size_t y_stride, const float *output, size_t output_stride,
                    const float *state, size_t state_stride, const float *x, size_t x_stride,
                    size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++) {
    float *to = y + r * y_stride;
    const float *now = output + r * output_stride, *before = state + r * state_stride;
    const float *gate = x + r * x_stride;
    for (size_t i = 0; i < width; i++) to[i] = now[i] + ck_tanh1(gate[i]) * (now[i] - before[i]);
  }
}

CLONES void ck_gate_backward(float *x, size_t x_stride, float *dchange, size_t dchange_stride,
                             const float *dy, size_t dy_stride, const float *change,
                             size_t change_stride, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++) {
    float *gate = x + r * x_stride, *through = dchange + r * dchange_stride;
    const float *output = dy + r * dy_stride, *moved = change + r * change_stride;
    for (size_t i = 0; i < width; i++) {
      float t = ck_tanh1(gate[i]);
      gate[i] = output[i] * moved[i] * (1.0f - t * t);
      through[i] = output[i] * t;
    }
  }
}
