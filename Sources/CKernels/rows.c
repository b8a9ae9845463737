#include "CKernels.h"
#include "clones.h"

static inline float inverse_rms(const float *x, size_t width, float epsilon) {
  RELAXED
  float sum = 0;
  for (size_t i = 0; i < width; i++) sum += x[i] * x[i];
  return 1.0f / __builtin_sqrtf(sum / (float)width + epsilon);
}

CLONES void ck_rms_norm(float *y, size_t y_stride, const float *x, size_t x_stride,
                        const float *scale, float offset, size_t rows, size_t width, float epsilon,
                        int add) {
  RELAXED
  for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
    float inverse = inverse_rms(x, width, epsilon);
    if (add) {
      for (size_t i = 0; i < width; i++) y[i] += (offset + scale[i]) * (x[i] * inverse);
    } else {
      for (size_t i = 0; i < width; i++) y[i] = (offset + scale[i]) * (x[i] * inverse);
    }
  }
}

CLONES void ck_rms_norm_backward(float *dx, size_t dx_stride, float *dscale, const float *dy,
                                 size_t dy_stride, const float *x, size_t x_stride,
                                 const float *scale, float offset, size_t rows, size_t width,
                                 float epsilon, int add) {
  RELAXED
  for (size_t r = 0; r < rows; r++, x += x_stride, dy += dy_stride, dx += dx_stride) {
    float inverse = inverse_rms(x, width, epsilon);
    float dot = 0;
    for (size_t i = 0; i < width; i++) dot += (offset + scale[i]) * dy[i] * x[i];
    float pull = dot * inverse * inverse / (float)width;
    // dscale first: dx may be dy.
    if (dscale) {
      for (size_t i = 0; i < width; i++) dscale[i] += dy[i] * (x[i] * inverse);
    }
    if (add) {
      for (size_t i = 0; i < width; i++) dx[i] += inverse * ((offset + scale[i]) * dy[i] - x[i] * pull);
    } else {
      for (size_t i = 0; i < width; i++) dx[i] = inverse * ((offset + scale[i]) * dy[i] - x[i] * pull);
    }
  }
}

CLONES void ck_scale_rows(float *y, size_t y_stride, const float *x, size_t x_stride,
                          const float *factors, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, y += y_stride, x += x_stride) {
    float factor = factors[r];
    for (size_t i = 0; i < width; i++) y[i] = factor * x[i];
  }
}

CLONES void ck_add(float *y, size_t y_stride, const float *x, size_t x_stride, size_t rows,
                   size_t width) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride)
    for (size_t i = 0; i < width; i++) y[i] += x[i];
}

CLONES void ck_add_scaled(float *y, size_t y_stride, const float *x, size_t x_stride, float factor,
                          size_t rows, size_t width) {
#pragma clang fp contract(fast)
  for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride)
    for (size_t i = 0; i < width; i++) y[i] += factor * x[i];
}

CLONES void ck_add_difference(float *y, const float *a, const float *b, float factor,
                              size_t width) {
#pragma clang fp contract(fast)
  for (size_t i = 0; i < width; i++) y[i] += factor * (a[i] - b[i]);
}

CLONES void ck_mirror(float *x, size_t stride, size_t first, size_t last, size_t extent) {
  enum { block = 16 };
  for (size_t i = first; i < last; i += block) {
    size_t end = i + block < last ? i + block : last;
    for (size_t j = i; j < extent; j += block) {
      size_t far = j + block < extent ? j + block : extent;
      for (size_t row = i; row < end; row++)
        for (size_t column = j > row ? j : row + 1; column < far; column++)
          x[row * stride + column] = x[column * stride + row];
    }
  }
}

CLONES void ck_add_column_sums(float *sum, const float *x, size_t x_stride, size_t rows,
                               size_t width) {
  for (size_t r = 0; r < rows; r++, x += x_stride)
    for (size_t i = 0; i < width; i++) sum[i] += x[i];
}

CLONES void ck_rotate(float *y, const float *x, const float *cosines, const float *sines,
                      size_t heads, size_t head_size, size_t size, int interleaved,
                      float direction) {
  size_t half = size / 2;
  if (interleaved) {
    for (size_t h = 0; h < heads; h++, x += head_size, y += head_size) {
      for (size_t i = 0; i < half; i++) {
        float a = x[2 * i], b = x[2 * i + 1], sine = direction * sines[i];
        y[2 * i] = a * cosines[i] - b * sine;
        y[2 * i + 1] = b * cosines[i] + a * sine;
      }
    }
    return;
  }
  for (size_t h = 0; h < heads; h++, x += head_size, y += head_size) {
    for (size_t i = 0; i < half; i++) {
      float a = x[i], b = x[i + half], sine = direction * sines[i];
      y[i] = a * cosines[i] - b * sine;
      y[i + half] = b * cosines[i] + a * sine;
    }
  }
}

CLONES int ck_has_non_finite(const float *x, size_t count) {
  // x - x is 0 for finite values and NaN for the rest; NaN differs from itself.
  int found = 0;
  for (size_t i = 0; i < count; i++) {
    float difference = x[i] - x[i];
    found |= difference != difference;
  }
  return found;
}

CLONES int ck_has_non_finite_16(const uint16_t *x, size_t count, uint16_t mask) {
  // The largest exponent, in lanes of 16 bits: comparing each would widen them.
  uint16_t largest = 0;
  for (size_t i = 0; i < count; i++) {
    uint16_t exponent = x[i] & mask;
    largest = exponent > largest ? exponent : largest;
  }
  return largest == mask;
}
