#pragma once

#include "bf16_gemm.h"

// `ck_bf16_gemm` by the tile registers of AMX-BF16 (Intel's from Sapphire Rapids on).

// Whether the processor has them and the system lets this process use them.
int ck_bf16_tiles_are_supported(void);
size_t ck_bf16_tiles_workspace(void);
void ck_bf16_tiles_gemm(float *c, size_t c_stride, const float *a, size_t a_row, size_t a_column,
                        const float *b, size_t b_row, size_t b_column, size_t m, size_t n, size_t k,
                        int accumulate, void *workspace);
