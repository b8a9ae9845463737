#pragma once

#include <stddef.h>

// Optimizer steps over flat buffers.

// One step's constants of Adam, the same for every element.
struct ck_adam {
  float gradient_scale;  // on the gradient: 1 / accumulated micro-batches, times the clip
  float beta1, beta2;
  float decay;           // on the parameter, before the update
  float step_size;       // learning rate / (1 - beta1^t)
  float second_scale;    // 1 / sqrt(1 - beta2^t), on the root of the second moment
  float epsilon;
};

// Σ x² in float64.
double ck_sum_of_squares(const float *x, size_t count);

// AdamW, one pass over memory: parameters `p`, moments `m` and `v`, gradients `g`.
void ck_adamw(float *p, float *m, float *v, const float *g, size_t count, struct ck_adam c);

// The moments alone; `first` starts them at g and g². Gives Σ g² / max(v, ε²).
double ck_adam_moments(float *m, float *v, const float *g, size_t count, struct ck_adam c,
                       int first);

// p ← p · decay - step_size · atan2(m, √v · second_scale).
void ck_adam_atan2(float *p, const float *m, const float *v, size_t count, struct ck_adam c);

// m ← m + (1 - momentum)(g - m); u ← g + momentum (m - g), or m without Nesterov.
// `g` is scaled first. Gives Σ u².
double ck_muon_momentum(float *m, float *u, const float *g, size_t count, float gradient_scale,
                        float momentum, int nesterov);

// x ← x · scale.
void ck_scale(float *x, size_t count, float scale);

// z ← a · x + b · y; z may be x or y.
void ck_combine(float *z, const float *x, const float *y, size_t count, float a, float b);

// Each value becomes the nearest bfloat16, the even one of two.
void ck_round_bf16(float *x, size_t count);

// p ← p · decay - step · u.
void ck_muon_apply(float *p, const float *u, size_t count, float decay, float step);
