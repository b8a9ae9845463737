#pragma once

#include <stddef.h>
#include <stdint.h>

// Whether this processor multiplies bfloat16 pairs (AVX512-BF16).
int ck_bf16_gemm_is_supported(void);

// Bytes of scratch memory that one running product needs; any alignment of 4 serves.
size_t ck_bf16_gemm_workspace(void);

// c[m, n] = a[m, k] * b[k, n], or c += with `accumulate`: operands rounded to bfloat16, sums float32.
//
// Strides are in elements; one stride of `a` is 1, and one of `b`; c's columns are contiguous. The
// sums of an element run over k in one fixed order, whatever m and n. Call it only where supported.
void ck_bf16_gemm(float *c, size_t c_stride, const float *a, size_t a_row, size_t a_column,
                  const float *b, size_t b_row, size_t b_column, size_t m, size_t n, size_t k,
                  int accumulate, void *workspace);
