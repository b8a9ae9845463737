#pragma once

#include <stddef.h>
#include <stdint.h>

// MARK: rows.c
// Matrices are row-major with a stride in elements. Sums are relaxed (training).

// y = x * (offset + scale) / rms(x) by rows; `add` adds to y instead of overwriting it.
void ck_rms_norm(float *y, size_t y_stride, const float *x, size_t x_stride, const float *scale,
                 float offset, size_t rows, size_t width, float epsilon, int add);
// Gradient of the above. dx is added to or overwritten (`add`); dscale is added to, and may be null.
void ck_rms_norm_backward(float *dx, size_t dx_stride, float *dscale, const float *dy,
                          size_t dy_stride, const float *x, size_t x_stride, const float *scale,
                          float offset, size_t rows, size_t width, float epsilon, int add);
// y[r, :] = factors[r] * x[r, :]
void ck_scale_rows(float *y, size_t y_stride, const float *x, size_t x_stride, const float *factors,
                   size_t rows, size_t width);
// y += x, by rows; x_stride 0 adds one row to all.
void ck_add(float *y, size_t y_stride, const float *x, size_t x_stride, size_t rows, size_t width);
// y += factor * x, by rows.
void ck_add_scaled(float *y, size_t y_stride, const float *x, size_t x_stride, float factor,
                   size_t rows, size_t width);
// y += factor * (a - b).
void ck_add_difference(float *y, const float *a, const float *b, float factor, size_t width);
// Rows [first, last) of a square matrix right of the diagonal, from the columns below it.
void ck_mirror(float *x, size_t stride, size_t first, size_t last, size_t extent);
// sum[c] += over rows of x[r, c].
void ck_add_column_sums(float *sum, const float *x, size_t x_stride, size_t rows, size_t width);
// y = sigmoid(w) * x by rows, or += when `add`; y may be x.
void ck_multiply_by_sigmoid(float *y, size_t y_stride, const float *x, size_t x_stride,
                            const float *w, size_t rows, size_t width, int add);
// dw += sigmoid'(w) * the sum over rows of dy * x.
void ck_multiply_by_sigmoid_backward(float *dw, const float *dy, size_t dy_stride, const float *x,
                                     size_t x_stride, const float *w, size_t rows, size_t width);
// y = output + tanh(x) * (output - state) by rows; y may be any of them.
void ck_gate(float *y, size_t y_stride, const float *output, size_t output_stride,
             const float *state, size_t state_stride, const float *x, size_t x_stride, size_t rows,
             size_t width);
// With change = output - state: x becomes its own gradient, dchange what comes through the product.
void ck_gate_backward(float *x, size_t x_stride, float *dchange, size_t dchange_stride,
                      const float *dy, size_t dy_stride, const float *change, size_t change_stride,
                      size_t rows, size_t width);
// Rotates the pairs (i, i + size/2), or (2i, 2i + 1), of `heads` vectors, `head_size` apart, by angles
// given as cosines and sines.
void ck_rotate(float *y, const float *x, const float *cosines, const float *sines, size_t heads,
               size_t head_size, size_t size, int interleaved, float direction);
// 1 when some value is not finite.
int ck_has_non_finite(const float *x, size_t count);
// The same for 16-bit floats whose exponent bits are `mask`.
int ck_has_non_finite_16(const uint16_t *x, size_t count, uint16_t mask);

// MARK: activation.c

// y = silu(gate) * up; gate and up are the halves of each row of `gate_up`.
void ck_swiglu(float *y, size_t y_stride, const float *gate_up, size_t rows, size_t width);
// Gradient of the above; y itself is computed again on the way. d_gate_up may be gate_up.
void ck_swiglu_backward(float *d_gate_up, float *y, const float *dy, const float *gate_up,
                        size_t rows, size_t width);

// The same with the Gaussian error unit instead of silu: by a hyperbolic tangent, and exactly.
void ck_geglu_tanh(float *y, size_t y_stride, const float *gate_up, size_t rows, size_t width);
void ck_geglu_tanh_backward(float *d_gate_up, float *y, const float *dy, const float *gate_up,
                            size_t rows, size_t width);
void ck_geglu(float *y, size_t y_stride, const float *gate_up, size_t rows, size_t width);
void ck_geglu_backward(float *d_gate_up, float *y, const float *dy, const float *gate_up,
                       size_t rows, size_t width);

// MARK: softcap.c

// x = cap * tanh(scale * x / cap) by rows, in place; cap 0 scales alone.
void ck_softcap(float *x, size_t stride, size_t rows, size_t columns, float scale, float cap);
// The same over the columns [first[r], last[r]) of each row.
void ck_softcap_visible(float *x, size_t stride, const int32_t *first, const int32_t *last,
                        size_t rows, float scale, float cap);
// As ck_softmax_backward, of scores that were capped.
void ck_softcap_softmax_backward(float *scores, float *d, size_t stride, const int32_t *first,
                                 const int32_t *last, size_t rows, size_t columns, float scale,
                                 float cap, const float *log_sum);

// MARK: softmax.c

// Softmax without its division: e^(scale * x - maximum) over the columns [first[r], last[r]) of each
// row, zero elsewhere, in place. `inverse` gets one over each row's sum, `log_sum` the logarithm of
// its sum of e^(scale * x).
void ck_exponentials(float *x, size_t stride, const int32_t *first, const int32_t *last, size_t rows,
                     size_t columns, float scale, float *inverse, float *log_sum);
// From scores and d(probability), in place: scores become probabilities by the saved `log_sum`,
// d(probability) becomes d(score) = scale * p * (dp - dot(p, dp)); zero outside [first, last).
void ck_softmax_backward(float *scores, float *d, size_t stride, const int32_t *first,
                         const int32_t *last, size_t rows, size_t columns, float scale,
                         const float *log_sum);
// Cross-entropy of each row with its label; a negative label counts nothing. Gives the sum of the
// losses; `losses`, if not null, gets each (0 without label). With `weight` not 0, logits become
// weight * (softmax - one-hot), zero without label; with `inverse_cap` not 0 they are results of a
// softcap, and become the gradient of what was capped.
double ck_cross_entropy(float *logits, size_t stride, float *losses, const int32_t *labels,
                        size_t rows, size_t columns, float weight, float inverse_cap);
// The same with the divergence of the student's distribution from a teacher's, both softened by
// `temperature` T. Gives the sum of the cross-entropies; `divergence` gets that of KL(teacher || student).
// The student's logits become the gradient of weight * ((1 - mix) cross-entropy + mix T² KL), zero
// without label; the teacher's logits are overwritten.
double ck_distil(float *student, size_t stride, float *teacher, size_t teacher_stride,
                 const int32_t *labels, size_t rows, size_t columns, float temperature, float mix,
                 float weight, float inverse_cap, double *divergence);
// Kullback-Leibler divergence, in nats, of softmax(x) from softmax(y): 0 where they are equal.
double ck_softmax_divergence(const float *x, const float *y, size_t count);

// MARK: gemv.c

// y[v, r] = dot(w[r, :], x[v, :]), or += (`add`): the weights are read once, and the bits of a result
// depend on its own row and vector alone.
void ck_gemv_f32(float *y, size_t y_stride, const float *w, size_t w_stride, const float *x,
                 size_t x_stride, size_t rows, size_t columns, size_t vectors, int add);
void ck_gemv_bf16(float *y, size_t y_stride, const uint16_t *w, size_t w_stride, const float *x,
                  size_t x_stride, size_t rows, size_t columns, size_t vectors, int add);
void ck_gemv_f16(float *y, size_t y_stride, const uint16_t *w, size_t w_stride, const float *x,
                 size_t x_stride, size_t rows, size_t columns, size_t vectors, int add);
// The same with rows of Q8_0 blocks, whose stride is in bytes; columns are a multiple of 32.
void ck_gemv_q8_0(float *y, size_t y_stride, const uint8_t *w, size_t w_stride, const float *x,
                  size_t x_stride, size_t rows, size_t columns, size_t vectors, int add);

// MARK: attend.c

// Attention of `queries` heads of one token, which share keys and values, over cached positions
// [first, last). `scores` has room for queries * last floats; a `cap` not 0 caps them.
void ck_attend(float *y, const float *q, const float *k, const float *v, size_t k_stride,
               size_t v_stride, size_t queries, size_t head_size, size_t first, size_t last,
               float scale, float cap, float *scores);

static inline void ck_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}
