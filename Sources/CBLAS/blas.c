#define _GNU_SOURCE
#include "CBLAS.h"

#include <dlfcn.h>
#include <stdlib.h>

// The numbers of CBLAS's enumerations, the same in every implementation.
enum { ROW_MAJOR = 101, AS_IT_IS = 111, TRANSPOSED = 112 };

typedef void sgemm_function(int, int, int, int, int, int, float, const float *, int, const float *,
                            int, float, float *, int);

static sgemm_function *sgemm;

int ck_blas_load(void) {
  if (sgemm) return 0;
  if (setenv("OPENBLAS_NUM_THREADS", "1", 1) != 0) return -1;
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen("libopenblas.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) return -1;
  void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
  sgemm_function *found = (sgemm_function *)dlsym(library, "cblas_sgemm");
  if (!set_threads || !found) return -1;
  set_threads(1);
  sgemm = found;
  return 0;
}

void ck_sgemm(int transposes_a, int transposes_b, int m, int n, int k, float alpha, const float *a,
              int stride_a, const float *b, int stride_b, float beta, float *c, int stride_c) {
  sgemm(ROW_MAJOR, transposes_a ? TRANSPOSED : AS_IT_IS, transposes_b ? TRANSPOSED : AS_IT_IS, m, n,
        k, alpha, a, stride_a, b, stride_b, beta, c, stride_c);
}
