#include "optimizer.h"

#include "clones.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

// Optimizer steps: elementwise over flat buffers, one pass over memory each. Sums run in float64,
// relaxed; callers give fixed tiles, so that thread counts do not change the result.

CLONES double ck_sum_of_squares(const float *restrict x, size_t count) {
#pragma clang fp reassociate(on) contract(fast)
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)x[i] * x[i];
  return sum;
}

CLONES void ck_adamw(float *restrict p, float *restrict m, float *restrict v,
                     const float *restrict g, size_t count, struct ck_adam c) {
#pragma clang fp contract(fast)
  for (size_t i = 0; i < count; i++) {
    float gradient = g[i] * c.gradient_scale;
    float first = m[i] + (1 - c.beta1) * (gradient - m[i]);
    float second = c.beta2 * v[i] + (1 - c.beta2) * gradient * gradient;
    m[i] = first;
    v[i] = second;
    p[i] = p[i] * c.decay - c.step_size * first / (sqrtf(second) * c.second_scale + c.epsilon);
  }
}

CLONES double ck_adam_moments(float *restrict m, float *restrict v, const float *restrict g,
                              size_t count, struct ck_adam c, int first) {
#pragma clang fp reassociate(on) contract(fast)
  float least = c.epsilon * c.epsilon;
  // A running start keeps g and g², whatever the betas.
  float weight1 = first ? 1 : 1 - c.beta1, weight2 = first ? 1 : 1 - c.beta2;
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    float gradient = g[i] * c.gradient_scale, square = gradient * gradient;
    float second = v[i] + weight2 * (square - v[i]);
    second = second > least ? second : least;
    m[i] += weight1 * (gradient - m[i]);
    v[i] = second;
    sum += square / second;
  }
  return sum;
}

// atan2(y, x) for x >= 0, not both 0; error below 2e-7.
static inline float angle(float y, float x) {
#pragma clang fp contract(fast)
  float size = fabsf(y);
  float low = size < x ? size : x, high = size < x ? x : size;
  float t = low / high, u = t * t;
  // atan(t) / t as a polynomial in t², interpolated at Chebyshev points of [0, 1].
  float r = 0.0027662834618240595f;
  r = r * u - 0.015731249004602432f;
  r = r * u + 0.04213762283325195f;
  r = r * u - 0.07456854730844498f;
  r = r * u + 0.10618370771408081f;
  r = r * u - 0.14197798073291779f;
  r = r * u + 0.1999187171459198f;
  r = r * u - 0.333330363035202f;
  r = r * u + 1.0f;
  r *= t;
  return copysignf(size > x ? 1.5707963267948966f - r : r, y);
}

CLONES void ck_adam_atan2(float *restrict p, const float *restrict m, const float *restrict v,
                          size_t count, struct ck_adam c) {
#pragma clang fp contract(fast)
  for (size_t i = 0; i < count; i++) {
    float turn = angle(m[i], sqrtf(v[i]) * c.second_scale);
    p[i] = p[i] * c.decay - c.step_size * turn;
  }
}

CLONES double ck_muon_momentum(float *restrict m, float *restrict u, const float *restrict g,
                               size_t count, float gradient_scale, float momentum, int nesterov) {
#pragma clang fp reassociate(on) contract(fast)
  float weight = nesterov ? momentum : 1;
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    float gradient = g[i] * gradient_scale;
    float average = m[i] + (1 - momentum) * (gradient - m[i]);
    float update = gradient + weight * (average - gradient);
    m[i] = average;
    u[i] = update;
    sum += (double)update * update;
  }
  return sum;
}

CLONES void ck_scale(float *restrict x, size_t count, float scale) {
  for (size_t i = 0; i < count; i++) x[i] *= scale;
}

CLONES void ck_combine(float *z, const float *x, const float *y, size_t count, float a, float b) {
#pragma clang fp contract(fast)
  for (size_t i = 0; i < count; i++) z[i] = a * x[i] + b * y[i];
}

CLONES void ck_round_bf16(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    // A NaN whose low bits alone say so must not become an infinity.
    uint32_t rounded = (bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u
                                                          : bits + 0x7fffu + (bits >> 16 & 1);
    rounded &= 0xffff0000u;
    memcpy(x + i, &rounded, 4);
  }
}

CLONES void ck_muon_apply(float *restrict p, const float *restrict u, size_t count, float decay,
                          float step) {
#pragma clang fp contract(fast)
  for (size_t i = 0; i < count; i++) p[i] = p[i] * decay - step * u[i];
}
