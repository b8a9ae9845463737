#include <math.h>

#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include "maximum.h"

CLONES void ck_exponentials(float *x, size_t stride, const int32_t *first, const int32_t *last,
                            size_t rows, size_t columns, float scale, float *inverse,
                            float *log_sum) {
  RELAXED
  for (size_t r = 0; r < rows; r++, x += stride) {
    size_t start = (size_t)first[r], end = (size_t)last[r];
    float top = row_maximum(x + start, end - start) * scale;
    float sum = 0;
    for (size_t i = start; i < end; i++) {
      float e = ck_exp1(x[i] * scale - top);
      x[i] = e;
      sum += e;
    }
    for (size_t i = 0; i < start; i++) x[i] = 0;
    for (size_t i = end; i < columns; i++) x[i] = 0;
    inverse[r] = 1.0f / sum;
    log_sum[r] = top + logf(sum);
  }
}

CLONES void ck_softmax_backward(float *scores, float *d, size_t stride, const int32_t *first,
                                const int32_t *last, size_t rows, size_t columns, float scale,
                                const float *log_sum) {
  RELAXED
  for (size_t r = 0; r < rows; r++, scores += stride, d += stride) {
    size_t start = (size_t)first[r], end = (size_t)last[r];
    float shift = log_sum[r], centre = 0;
    for (size_t i = 0; i < start; i++) scores[i] = d[i] = 0;
    for (size_t i = start; i < end; i++) {
      float p = ck_exp1(scores[i] * scale - shift);
      scores[i] = p;
      centre += p * d[i];
    }
    for (size_t i = start; i < end; i++) d[i] = scale * scores[i] * (d[i] - centre);
    for (size_t i = end; i < columns; i++) scores[i] = d[i] = 0;
  }
}

CLONES double ck_cross_entropy(float *logits, size_t stride, float *losses, const int32_t *labels,
                               size_t rows, size_t columns, float weight, float inverse_cap) {
  RELAXED
  double total = 0;
  for (size_t r = 0; r < rows; r++, logits += stride) {
    if (labels[r] < 0) {
      if (losses) losses[r] = 0;
      if (weight != 0)
        for (size_t i = 0; i < columns; i++) logits[i] = 0;
      continue;
    }
    size_t label = (size_t)labels[r];
    float top = row_maximum(logits, columns);
    float answer = logits[label];
    float sum = 0;
    for (size_t i = 0; i < columns; i++) sum += ck_exp1(logits[i] - top);
    double loss = log((double)sum) + ((double)top - (double)answer);
    total += loss;
    if (losses) losses[r] = (float)loss;
    if (weight != 0) {
      float factor = weight / sum;
      for (size_t i = 0; i < columns; i++) {
        float share = logits[i] * inverse_cap;
        logits[i] = factor * ck_exp1(logits[i] - top) * (1.0f - share * share);
      }
      float share = answer * inverse_cap;
      logits[label] -= weight * (1.0f - share * share);
    }
  }
  return total;
}

CLONES double ck_distil(float *student, size_t stride, float *teacher, size_t teacher_stride,
                        const int32_t *labels, size_t rows, size_t columns, float temperature,
                        float mix, float weight, float inverse_cap, double *divergence) {
  RELAXED
  double total = 0, apart = 0;
  float cold = 1.0f / temperature;
  for (size_t r = 0; r < rows; r++, student += stride, teacher += teacher_stride) {
    if (labels[r] < 0) {
      for (size_t i = 0; i < columns; i++) student[i] = 0;
      continue;
    }
    size_t label = (size_t)labels[r];
    float top = row_maximum(student, columns), teacher_top = row_maximum(teacher, columns);
    float answer = student[label];
    float sum = 0, soft_sum = 0, teacher_sum = 0, difference = 0;
    for (size_t i = 0; i < columns; i++) {
      float s = student[i] - top, t = teacher[i] - teacher_top;
      float e = ck_exp1(t * cold);
      sum += ck_exp1(s);
      soft_sum += ck_exp1(s * cold);
      teacher_sum += e;
      difference += e * (t - s);
      teacher[i] = e;
    }
    total += log((double)sum) + ((double)top - (double)answer);
    apart += (double)difference * (double)cold / (double)teacher_sum + log((double)soft_sum) -
             log((double)teacher_sum);
    float hard = weight * (1 - mix) / sum;
    float soft = weight * mix * temperature / soft_sum;
    float taught = weight * mix * temperature / teacher_sum;
    for (size_t i = 0; i < columns; i++) {
      float s = student[i] - top, share = student[i] * inverse_cap;
      float d = hard * ck_exp1(s) + soft * ck_exp1(s * cold) - taught * teacher[i];
      student[i] = d * (1.0f - share * share);
    }
    float share = answer * inverse_cap;
    student[label] -= weight * (1 - mix) * (1.0f - share * share);
  }
  *divergence = apart;
  return total;
}

CLONES double ck_softmax_divergence(const float *x, const float *y, size_t count) {
  RELAXED
  float x_top = row_maximum(x, count), y_top = row_maximum(y, count);
  double x_sum = 0, y_sum = 0, weighted = 0;
  for (size_t i = 0; i < count; i++) {
    double a = (double)x[i] - x_top, b = (double)y[i] - y_top;
    double e = ck_exp1((float)a);
    x_sum += e;
    y_sum += ck_exp1((float)b);
    weighted += e * (a - b);
  }
  double divergence = weighted / x_sum - log(x_sum / y_sum);
  return divergence > 0 ? divergence : divergence != divergence ? divergence : 0;
}
