// Calls every kernel in C once on the same inputs and writes what it gives, so that a build for one
// processor can be compared with a build for another: see Scripts/test_aarch64.sh.
//
//     kernels write FILE        results of this build
//     kernels compare A B       exact ones bit for bit, relaxed ones by the norm of their difference

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CConversions.h"
#include "CKernels.h"

enum { N = 4099, ROWS = 9, WIDTH = 101 };

static FILE *out;
static uint64_t state = 88172645463325252u;

static uint64_t draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static void *space(size_t bytes) {
  void *memory = calloc(1, bytes + 64);
  if (!memory) abort();
  return memory;
}

static uint8_t *bytes(size_t count) {
  uint8_t *x = space(count);
  for (size_t i = 0; i < count; i++) x[i] = (uint8_t)(draw() >> 24);
  return x;
}

// Values of a bell around 0, which no library computes.
static float *values(size_t count, float scale) {
  float *x = space(4 * count);
  for (size_t i = 0; i < count; i++) {
    double sum = 0;
    for (int n = 0; n < 4; n++) sum += (double)(draw() >> 40) / (1 << 24) - 0.5;
    x[i] = scale * (float)sum;
  }
  return x;
}

static float *positive(size_t count, float scale) {
  float *x = values(count, scale);
  for (size_t i = 0; i < count; i++) x[i] = fabsf(x[i]) + 1e-4f * scale;
  return x;
}

static float *copy(const float *x, size_t count) { return memcpy(space(4 * count), x, 4 * count); }

// A record: name, whether its bits must agree, how many 32-bit words, the words.
static void record(const char *name, int exact, const void *words, size_t count) {
  char text[48] = {0};
  uint64_t head[2] = {(uint64_t)exact, count};
  snprintf(text, sizeof text, "%s", name);
  if (fwrite(text, sizeof text, 1, out) != 1 || fwrite(head, sizeof head, 1, out) != 1 ||
      fwrite(words, 4, count, out) != count)
    abort();
}

static void exact(const char *name, const void *x, size_t count) { record(name, 1, x, count); }
static void near(const char *name, const float *x, size_t count) { record(name, 0, x, count); }

static void near1(const char *name, double x) {
  float value = (float)x;
  near(name, &value, 1);
}

// The sign of a NaN that arithmetic makes is the processor's own.
static void without_nan_bits(float *x, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (x[i] != x[i]) x[i] = NAN;
}

// MARK: Conversions

static void conversions(void) {
  uint8_t *in = bytes(8 * N);
  // All codes of 8 and 16 bits.
  uint8_t *codes = space(1 << 17);
  for (uint32_t i = 0; i < 1 << 16; i++) memcpy(codes + 2 * i, &(uint16_t){(uint16_t)i}, 2);
  float *y = space(4 << 16), top;
#define DECODE(name, from, count)                                                                  \
  ck_decode_##name(from, y, count);                                                                \
  exact("decode_" #name, y, count);
  DECODE(f16, codes, 1 << 16) DECODE(bf16, codes, 1 << 16) DECODE(i16, codes, 1 << 16)
  DECODE(u16, codes, 1 << 16) DECODE(f8_e4m3, codes, 1 << 16) DECODE(f8_e5m2, codes, 1 << 16)
  DECODE(f8_e4m3fnuz, codes, 1 << 16) DECODE(f8_e5m2fnuz, codes, 1 << 16)
  DECODE(f8_e8m0, codes, 1 << 16) DECODE(f6_e2m3, codes, 1 << 16) DECODE(f6_e3m2, codes, 1 << 16)
  DECODE(f4, codes, 1 << 16) DECODE(bool, codes, 1 << 16) DECODE(i8, codes, 1 << 16)
  DECODE(u8, codes, 1 << 16) DECODE(f32, in, N) DECODE(i32, in, N) DECODE(u32, in, N)
  DECODE(i64, in, N) DECODE(u64, in, N)

  // Any bits, and values that the types can hold.
  float *any = space(8 * N), *bell = values(N, 300);
  memcpy(any, in, 4 * N);
  memcpy(any + N, bell, 4 * N);
  uint8_t *code = space(16 * N);
#define ENCODE(name)                                                                               \
  memset(code, 0, 16 * N);                                                                         \
  y[0] = (float)ck_encode_##name(any, code, 2 * N, &top), y[1] = top;                              \
  exact("encode_" #name, code, 2 * N / 2);                                                         \
  exact("encode_" #name " count", y, 2);
  ENCODE(f16) ENCODE(bf16) ENCODE(f8_e4m3) ENCODE(f8_e5m2) ENCODE(f8_e4m3fnuz) ENCODE(f8_e5m2fnuz)
  ck_encode_f64(bell, code, N);
  exact("encode_f64", code, 2 * N);
  double *wide = space(8 * N);
  for (size_t i = 0; i < N; i++) wide[i] = bell[i] * 1.000000123;
  ck_decode_f64((uint8_t *)wide, y, N);
  exact("decode_f64", y, N);
  ck_f64_to_f32((uint8_t *)wide, y, N, &top);
  exact("f64_to_f32", y, N);
  ck_f64_to_f32_odd((uint8_t *)wide, y, N);
  exact("f64_to_f32_odd", y, N);
}

static void blocks(void) {
  enum { count = 128 };
  uint8_t *in = bytes(count * 300), *code = space(count * 34);
  float *y = space(4 * count * 256), top, *x = values(32 * count, 3);
#define BLOCK(name, elements)                                                                      \
  ck_dequantise_##name(in, y, count);                                                              \
  without_nan_bits(y, count * elements);                                                           \
  exact("dequantise_" #name, y, count * elements);
  BLOCK(q4_0, 32) BLOCK(q4_1, 32) BLOCK(q5_0, 32) BLOCK(q5_1, 32) BLOCK(q8_0, 32)
  BLOCK(q2_k, 256) BLOCK(q3_k, 256) BLOCK(q4_k, 256) BLOCK(q5_k, 256) BLOCK(q6_k, 256)
  ck_quantise_q8_0(x, code, count, &top);
  exact("quantise_q8_0", code, count * 34 / 4);
  for (uint32_t bits = 1; bits <= 8; bits++) {
    ck_unpack_codes(in, y, N, bits);
    exact("unpack_codes", y, N);
  }
  ck_unpack_words(in, y, N, 12, 4);
  exact("unpack_words", y, N);
  float *zeros = values(64, 8), *scales = values(64, 1);
  ck_scale_runs(y, N, 65, zeros, scales);
  exact("scale_runs", y, N);
  int32_t *index = space(4 * N);
  for (size_t i = 0; i < N; i++) index[i] = (int32_t)(draw() % 64);
  ck_scale_indexed(y, N, index, zeros, scales);
  exact("scale_indexed", y, N);
  float *across = space(4 * ROWS * WIDTH);
  ck_transpose(y, ROWS, WIDTH, WIDTH, across, ROWS);
  exact("transpose", across, ROWS * WIDTH);
  ck_transpose_words(in, ROWS, WIDTH, (uint8_t *)across);
  exact("transpose_words", across, ROWS * WIDTH);
  uint32_t found[3];
  y[7] = -INFINITY;
  found[0] = (uint32_t)ck_count_infinite(y, N);
  found[1] = (uint32_t)ck_has_non_finite(y, N) + 2 * (uint32_t)ck_has_non_finite(y + 8, 100);
  found[2] = (uint32_t)ck_has_non_finite_16((uint16_t *)in, 3, 0x7c00);
  exact("non-finite", found, 3);
}

// MARK: Rows

static void rows(void) {
  enum { count = ROWS * WIDTH };
  float *x = values(count, 2), *d = values(count, 2), *scale = values(WIDTH, 1);
  float *y = copy(d, count), *dx = copy(x, count), *dscale = space(4 * WIDTH);
  for (int add = 0; add < 2; add++) {
    ck_rms_norm(y, WIDTH, x, WIDTH, scale, 1, ROWS, WIDTH, 1e-5f, add);
    near("rms_norm", y, count);
    ck_rms_norm_backward(
        dx, WIDTH, dscale, d, WIDTH, x, WIDTH, scale, 1, ROWS, WIDTH, 1e-5f, add);
    near("rms_norm_backward", dx, count);
    near("rms_norm_backward scale", dscale, WIDTH);
  }
  ck_scale_rows(y, WIDTH, x, WIDTH, scale, ROWS, WIDTH);
  exact("scale_rows", y, count);
  ck_add(y, WIDTH, d, WIDTH, ROWS, WIDTH);
  exact("add", y, count);
  ck_add_scaled(y, WIDTH, x, WIDTH, 0.3f, ROWS, WIDTH);
  ck_add_difference(y, x, d, -0.7f, count);
  near("add_scaled, add_difference", y, count);
  ck_add_column_sums(dscale, x, WIDTH, ROWS, WIDTH);
  near("add_column_sums", dscale, WIDTH);
  float *square = values(WIDTH * WIDTH, 1);
  ck_mirror(square, WIDTH, 3, WIDTH - 2, WIDTH);
  exact("mirror", square, WIDTH * WIDTH);
  float *angles = values(64, 3), *cosines = space(256), *sines = space(256);
  for (size_t i = 0; i < 64; i++) cosines[i] = 1 - angles[i] * angles[i] / 9, sines[i] = angles[i] / 9;
  for (int interleaved = 0; interleaved < 2; interleaved++) {
    ck_rotate(y, x, cosines, sines, 9, 96, 88, interleaved, -1);
    near("rotate", y, 9 * 96);
  }
}

#define GATED(name)                                                                                \
  ck_##name(y, width, gate_up, ROWS, width);                                                       \
  near(#name, y, ROWS * width);                                                                    \
  ck_##name##_backward(d, y, dy, gate_up, ROWS, width);                                            \
  near(#name "_backward", d, 2 * ROWS * width);                                                    \
  near(#name "_backward y", y, ROWS * width);

static void activations(void) {
  enum { width = 50 };
  float *gate_up = values(2 * ROWS * width, 8), *dy = values(ROWS * width, 1);
  float *y = space(4 * ROWS * width), *d = space(8 * ROWS * width);
  GATED(swiglu) GATED(geglu_tanh) GATED(geglu)
  for (float cap = 0; cap < 40; cap += 30) {
    float *x = copy(gate_up, ROWS * width);
    ck_softcap(x, width, ROWS, width, 1.5f, cap);
    near("softcap", x, ROWS * width);
  }
}

static void attention(void) {
  enum { count = ROWS * WIDTH };
  int32_t first[ROWS], last[ROWS], labels[ROWS];
  for (int r = 0; r < ROWS; r++) {
    first[r] = r * 3, last[r] = 40 + r * 7, labels[r] = r == 4 ? -1 : r * 11;
  }
  float *x = values(count, 9), *d = values(count, 1), inverse[ROWS], log_sum[ROWS];
  float *scores = copy(x, count);
  ck_softcap_visible(scores, WIDTH, first, last, ROWS, 0.3f, 5);
  near("softcap_visible", scores, count);
  scores = copy(x, count);
  ck_exponentials(scores, WIDTH, first, last, ROWS, WIDTH, 0.3f, inverse, log_sum);
  near("exponentials", scores, count);
  near("exponentials inverse", inverse, ROWS);
  near("exponentials log_sum", log_sum, ROWS);
  scores = copy(x, count);
  float *grad = copy(d, count);
  ck_softmax_backward(scores, grad, WIDTH, first, last, ROWS, WIDTH, 0.3f, log_sum);
  near("softmax_backward", scores, count);
  near("softmax_backward d", grad, count);
  scores = copy(x, count), grad = copy(d, count);
  ck_softcap_softmax_backward(scores, grad, WIDTH, first, last, ROWS, WIDTH, 0.3f, 5, log_sum);
  near("softcap_softmax_backward", grad, count);
  float losses[ROWS], *logits = copy(x, count), *teacher = values(count, 9);
  near1("cross_entropy", ck_cross_entropy(logits, WIDTH, losses, labels, ROWS, WIDTH, 0.5f, 0.02f));
  near("cross_entropy losses", losses, ROWS);
  near("cross_entropy gradient", logits, count);
  double divergence;
  logits = copy(x, count);
  near1("softmax_divergence", ck_softmax_divergence(x, teacher, count));
  near1("distil", ck_distil(logits, WIDTH, teacher, WIDTH, labels, ROWS, WIDTH, 2, 0.4f, 0.5f, 0.02f,
                            &divergence));
  near1("distil divergence", divergence);
  near("distil gradient", logits, count);
  enum { size = 72, heads = 3, length = 150 };
  float *q = values(heads * size, 2), *k = values(length * size, 1), *v = values(length * size, 1);
  float *y = space(4 * heads * size), *room = space(4 * heads * length);
  for (float cap = 0; cap < 9; cap += 8) {
    ck_attend(y, q, k, v, size, size, heads, size, 5, length, 0.1f, cap, room);
    near("attend", y, heads * size);
  }
}

// MARK: Products

static void products(void) {
  enum { count = 11, columns = 1120, vectors = 6 };
  float *w = values(count * columns, 1), *x = values(vectors * columns, 1), top;
  float *y = space(4 * vectors * count);
  uint8_t *narrow = space(2 * count * columns);
#define GEMV(name, Element, from, stride)                                                          \
  for (size_t n = 1; n <= vectors; n += 5) {                                                       \
    ck_gemv_##name(y, count, (const Element *)(from), stride, x, columns, count, columns, n, n > 1); \
    near("gemv_" #name, y, n * count);                                                             \
  }
  GEMV(f32, float, w, columns)
  ck_encode_bf16(w, narrow, count * columns, &top);
  GEMV(bf16, uint16_t, narrow, columns)
  ck_encode_f16(w, narrow, count * columns, &top);
  GEMV(f16, uint16_t, narrow, columns)
  ck_quantise_q8_0(w, narrow, count * columns / 32, &top);
  GEMV(q8_0, uint8_t, narrow, columns / 32 * 34)
}

// Both operands in both orders against a plain loop over operands that are rounded first. Where the
// processor has no such products, the loop's own result is written.
static void bf16_products(void) {
  enum { m = 29, n = 300, k = 519 };
  float *a = values(m * k, 1), *b = values(k * n, 1), *c = space(4 * m * n), top, worst = 0;
  float *rounded_a = space(4 * m * k), *rounded_b = space(4 * k * n);
  uint8_t *code = space(2 * k * n);
  ck_encode_bf16(a, code, m * k, &top), ck_decode_bf16(code, rounded_a, m * k);
  ck_encode_bf16(b, code, k * n, &top), ck_decode_bf16(code, rounded_b, k * n);
  int supported = ck_bf16_gemm_is_supported();
  void *workspace = space(ck_bf16_gemm_workspace());
  for (int form = 0; form < 8 && supported; form++) {
    int a_across = form & 1, b_across = form >> 1 & 1, accumulate = form >> 2;
    for (size_t i = 0; i < m * n; i++) c[i] = 1;
    ck_bf16_gemm(c, n, a, a_across ? 1 : k, a_across ? m : 1, b, b_across ? 1 : n, b_across ? k : 1, m,
                 n, k, accumulate, workspace);
    for (size_t i = 0; i < m; i++) {
      for (size_t j = 0; j < n; j++) {
        double sum = accumulate, size = 1;
        for (size_t p = 0; p < k; p++) {
          double term = (double)rounded_a[a_across ? p * m + i : i * k + p] *
                        rounded_b[b_across ? j * k + p : p * n + j];
          sum += term, size += fabs(term);
        }
        float error = (float)(fabs(c[i * n + j] - sum) / size);
        worst = error > worst ? error : worst;
      }
    }
  }
  fprintf(stderr, "bf16_gemm: %s, largest error %.1e of the sum of magnitudes\n",
          supported ? "run" : "not supported by this processor", (double)worst);
  if (!(worst < 1e-6)) exit(1);
}

// MARK: Optimizers

static void optimizers(void) {
  struct ck_adam c = {0.5f, 0.9f, 0.95f, 0.999f, 1e-3f, 3, 1e-8f};
  float *p = values(N, 1), *m = values(N, 1e-2f), *v = positive(N, 1e-3f), *g = values(N, 1);
  float *u = space(4 * N);
  near1("sum_of_squares", ck_sum_of_squares(g, N));
  ck_adamw(p, m, v, g, N, c);
  near("adamw", p, N), near("adamw m", m, N), near("adamw v", v, N);
  near1("adam_moments first", ck_adam_moments(m, v, g, N, c, 1));
  near1("adam_moments", ck_adam_moments(m, v, p, N, c, 0));
  near("adam_moments m", m, N), near("adam_moments v", v, N);
  ck_adam_atan2(p, m, v, N, c);
  near("adam_atan2", p, N);
  for (int nesterov = 0; nesterov < 2; nesterov++) {
    near1("muon_momentum", ck_muon_momentum(m, u, g, N, 0.5f, 0.95f, nesterov));
    near("muon_momentum m", m, N), near("muon_momentum u", u, N);
  }
  float *scaled = copy(g, N);
  ck_scale(scaled, N, 0.3f);
  exact("scale", scaled, N);
  ck_combine(g, u, p, N, 2, -3);
  near("combine", g, N);
  ck_muon_apply(p, u, N, 0.99f, 0.1f);
  near("muon_apply", p, N);
}

// MARK: Comparing

static int compare(FILE *a, FILE *b) {
  char name[48], other[48];
  int failed = 0, exacts = 0, nears = 0;
  double worst = 0;
  while (fread(name, sizeof name, 1, a) == 1) {
    uint64_t head[2], head2[2];
    if (fread(other, sizeof other, 1, b) != 1 || fread(head, sizeof head, 1, a) != 1 ||
        fread(head2, sizeof head2, 1, b) != 1 || memcmp(name, other, sizeof name) ||
        memcmp(head, head2, sizeof head))
      return printf("the files differ in form at %s\n", name), 1;
    size_t count = head[1];
    float *x = space(4 * count), *y = space(4 * count);
    if (fread(x, 4, count, a) != count || fread(y, 4, count, b) != count) return 1;
    if (head[0]) {
      exacts++;
      size_t i = 0;
      while (i < count && memcmp(x + i, y + i, 4) == 0) i++;
      if (i < count) failed = 1, printf("%s: word %zu differs\n", name, i);
      continue;
    }
    double error = 0, size = 0;
    for (size_t i = 0; i < count; i++)
      error += pow((double)x[i] - y[i], 2), size += (double)x[i] * x[i];
    double relative = sqrt(error) / (sqrt(size) + 1e-30);
    nears++;
    if (!(relative < 1e-5)) failed = 1, printf("%s: relative difference %.1e\n", name, relative);
    worst = relative > worst ? relative : worst;
  }
  if (fread(name, 1, 1, b) == 1 || exacts == 0) return printf("one file is longer\n"), 1;
  printf("%d results are equal bit for bit, %d within %.1e (norm of difference over norm)\n", exacts,
         nears, worst);
  return failed;
}

int main(int count, char **arguments) {
  if (count == 4 && strcmp(arguments[1], "compare") == 0) {
    FILE *a = fopen(arguments[2], "rb"), *b = fopen(arguments[3], "rb");
    return a && b ? compare(a, b) : 2;
  }
  if (count != 3 || !(out = fopen(arguments[2], "wb"))) return 2;
  conversions();
  blocks();
  rows();
  activations();
  attention();
  products();
  bf16_products();
  optimizers();
  return fclose(out) != 0;
}
