#include "CKernels.h"
#include "clones.h"
#include "exponential.h"

// Channels whose sigmoids are kept while they go through all rows.
enum { TILE = 256 };

CLONES void ck_multiply_by_sigmoid(float *y, size_t y_stride, const float *x, size_t x_stride,
                                   const float *w, size_t rows, size_t width, int add) {
  float decay[TILE];
  for (size_t start = 0; start < width; start += TILE) {
    size_t count = width - start < TILE ? width - start : TILE;
    for (size_t i = 0; i < count; i++) decay[i] = ck_sigmoid1(w[start + i]);
    for (size_t r = 0; r < rows; r++) {
      const float *from = x + r * x_stride + start;
      float *to = y + r * y_stride + start;
      if (add) {
        for (size_t i = 0; i < count; i++) to[i] += decay[i] * from[i];
      } else {
        for (size_t i = 0; i < count; i++) to[i] = decay[i] * from[i];
      }
    }
  }
}

CLONES void ck_multiply_by_sigmoid_backward(float *dw, const float *dy, size_t dy_stride,
                                            const float *x, size_t x_stride, const float *w,
                                            size_t rows, size_t width) {
  float sum[TILE];
  for (size_t start = 0; start < width; start += TILE) {
    size_t count = width - start < TILE ? width - start : TILE;
    for (size_t i = 0; i < count; i++) sum[i] = 0;
    for (size_t r = 0; r < rows; r++) {
      const float *output = dy + r * dy_stride + start, *input = x + r * x_stride + start;
      for (size_t i = 0; i < count; i++) sum[i] += output[i] * input[i];
    }
    for (size_t i = 0; i < count; i++) {
      float decay = ck_sigmoid1(w[start + i]);
      dw[start + i] += sum[i] * decay * (1 - decay);
    }
  }
}
