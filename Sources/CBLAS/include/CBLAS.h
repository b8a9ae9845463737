#pragma once

// OpenBLAS, loaded when it is first needed and not before: as it starts it takes a thread and 128 MiB
// of address space for each processor, and where it does not get them it tries for ever or ends the
// process. Told beforehand that it has one thread, it starts none.

/// Loads the library, from one thread; 0 when it is there, or -1.
int ck_blas_load(void);

/// The processor whose kernels the loaded library uses, by its name for it; empty if it does not say.
const char *_Nonnull ck_blas_core(void);

/// c = alpha · op(a) op(b) + beta · c, row-major; `cblas_sgemm` without its fixed first argument.
void ck_sgemm(int transposes_a, int transposes_b, int m, int n, int k, float alpha,
              const float *_Nonnull a, int stride_a, const float *_Nonnull b, int stride_b,
              float beta, float *_Nonnull c, int stride_c);

/// Bytes of address space that a thread's products take.
#define CK_BLAS_BYTES_PER_THREAD (129L << 20)
