#define _GNU_SOURCE
#include "CBLAS.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// The numbers of CBLAS's enumerations, the same in every implementation.
enum { ROW_MAJOR = 101, AS_IT_IS = 111, TRANSPOSED = 112 };

typedef void sgemm_function(int, int, int, int, int, int, float, const float *, int, const float *,
                            int, float, float *, int);

typedef char *core_name_function(void);

static sgemm_function *sgemm;
static core_name_function *core_name;

static void *open_library(void) {
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen("libopenblas.so", RTLD_NOW | RTLD_LOCAL);
  if (library) core_name = (core_name_function *)dlsym(library, "openblas_get_corename");
  return library;
}

// The processor whose kernels run here, if those that were chosen are far too old, else null. OpenBLAS
// knows processors by their number: up to 0.3.24, those that it has not heard of get kernels of 2004.
static const char *better_core(void) {
#if defined(__x86_64__)
  if (!core_name || strcmp(core_name(), "Prescott") != 0 || getenv("OPENBLAS_CORETYPE")) return NULL;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return NULL;
}

int ck_blas_load(void) {
  if (sgemm) return 0;
  if (setenv("OPENBLAS_NUM_THREADS", "1", 1) != 0) return -1;
  void *library = open_library();
  if (!library) return -1;
  const char *core = better_core();
  if (core) {
    // It reads the variable as it is loaded.
    if (dlclose(library) != 0 || setenv("OPENBLAS_CORETYPE", core, 1) != 0) return -1;
    library = open_library();
    unsetenv("OPENBLAS_CORETYPE");
    if (!library) return -1;
  }
  void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
  sgemm_function *found = (sgemm_function *)dlsym(library, "cblas_sgemm");
  if (!set_threads || !found) return -1;
  set_threads(1);
  sgemm = found;
  return 0;
}

const char *ck_blas_core(void) { return core_name ? core_name() : ""; }

void ck_sgemm(int transposes_a, int transposes_b, int m, int n, int k, float alpha, const float *a,
              int stride_a, const float *b, int stride_b, float beta, float *c, int stride_c) {
  sgemm(ROW_MAJOR, transposes_a ? TRANSPOSED : AS_IT_IS, transposes_b ? TRANSPOSED : AS_IT_IS, m, n,
        k, alpha, a, stride_a, b, stride_b, beta, c, stride_c);
}
