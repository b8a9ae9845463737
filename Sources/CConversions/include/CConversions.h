#pragma once

#include <stddef.h>
#include <stdint.h>

// Numbers of every format to float32 and back, the same bits on every CPU. Pure functions of pointers
// and sizes: no allocation, no globals, no I/O.

// MARK: conversion.c

// `count` elements from unaligned bytes to float32.
void ck_decode_f64(const uint8_t *in, float *out, size_t count);
void ck_decode_f32(const uint8_t *in, float *out, size_t count);
void ck_decode_f16(const uint8_t *in, float *out, size_t count);
void ck_decode_bf16(const uint8_t *in, float *out, size_t count);
void ck_decode_f8_e4m3(const uint8_t *in, float *out, size_t count);
void ck_decode_f8_e5m2(const uint8_t *in, float *out, size_t count);
void ck_decode_f8_e4m3fnuz(const uint8_t *in, float *out, size_t count);
void ck_decode_f8_e5m2fnuz(const uint8_t *in, float *out, size_t count);
void ck_decode_f8_e8m0(const uint8_t *in, float *out, size_t count);
void ck_decode_f6_e2m3(const uint8_t *in, float *out, size_t count);
void ck_decode_f6_e3m2(const uint8_t *in, float *out, size_t count);
void ck_decode_f4(const uint8_t *in, float *out, size_t count);
void ck_decode_bool(const uint8_t *in, float *out, size_t count);
void ck_decode_i8(const uint8_t *in, float *out, size_t count);
void ck_decode_u8(const uint8_t *in, float *out, size_t count);
void ck_decode_i16(const uint8_t *in, float *out, size_t count);
void ck_decode_u16(const uint8_t *in, float *out, size_t count);
void ck_decode_i32(const uint8_t *in, float *out, size_t count);
void ck_decode_u32(const uint8_t *in, float *out, size_t count);
void ck_decode_i64(const uint8_t *in, float *out, size_t count);
void ck_decode_u64(const uint8_t *in, float *out, size_t count);

// `count` float32 to unaligned bytes, rounded to nearest even; gives how many values were too large
// for the type, and the largest magnitude among them.
size_t ck_encode_f16(const float *in, uint8_t *out, size_t count, float *top);
size_t ck_encode_bf16(const float *in, uint8_t *out, size_t count, float *top);
size_t ck_encode_f8_e4m3(const float *in, uint8_t *out, size_t count, float *top);
size_t ck_encode_f8_e5m2(const float *in, uint8_t *out, size_t count, float *top);
size_t ck_encode_f8_e4m3fnuz(const float *in, uint8_t *out, size_t count, float *top);
size_t ck_encode_f8_e5m2fnuz(const float *in, uint8_t *out, size_t count, float *top);

void ck_encode_f64(const float *in, uint8_t *out, size_t count);

// Float64 from unaligned bytes to float32, to nearest even or, where another rounding follows, to odd.
size_t ck_f64_to_f32(const uint8_t *in, float *out, size_t count, float *top);
void ck_f64_to_f32_odd(const uint8_t *in, float *out, size_t count);

// MARK: dequantise.c

// `count` blocks of ggml's quantised types to float32: 32 elements each, 256 those with `_k`.
void ck_dequantise_q4_0(const uint8_t *in, float *out, size_t count);
void ck_dequantise_q4_1(const uint8_t *in, float *out, size_t count);
void ck_dequantise_q5_0(const uint8_t *in, float *out, size_t count);
void ck_dequantise_q5_1(const uint8_t *in, float *out, size_t count);
void ck_dequantise_q8_0(const uint8_t *in, float *out, size_t count);
void ck_dequantise_q2_k(const uint8_t *in, float *out, size_t count);
void ck_dequantise_q3_k(const uint8_t *in, float *out, size_t count);
void ck_dequantise_q4_k(const uint8_t *in, float *out, size_t count);
void ck_dequantise_q5_k(const uint8_t *in, float *out, size_t count);
void ck_dequantise_q6_k(const uint8_t *in, float *out, size_t count);

// `count` blocks of 32 float32 to Q8_0; gives how many values lie in blocks that became infinite or
// NaN, and the largest magnitude among them.
size_t ck_quantise_q8_0(const float *in, uint8_t *out, size_t count, float *top);

// MARK: codes.c

// `count` unsigned codes of 1 to 8 bits to float32, from a stream with the first code lowest.
void ck_unpack_codes(const uint8_t *in, float *out, size_t count, uint32_t bits);

// The same of one code in each word of 32 bits, at bit `shift`.
void ck_unpack_words(const uint8_t *in, float *out, size_t count, uint32_t shift, uint32_t bits);

// Value minus zero point, times scale, of which there is one each for every run of `width` values; the
// last run may be shorter. `zeros` may be null: nothing is subtracted.
void ck_scale_runs(float *values, size_t count, size_t width, const float *zeros,
                   const float *scales);

// The same with the scale and zero point at `index[i]` for value i.
void ck_scale_indexed(float *values, size_t count, const int32_t *index, const float *zeros,
                      const float *scales);

// `columns` columns of a matrix, whose rows lie `stride` apart, to rows that lie `out_stride` apart.
void ck_transpose(const float *in, size_t rows, size_t stride, size_t columns, float *out,
                  size_t out_stride);
void ck_transpose_words(const uint8_t *in, size_t rows, size_t columns, uint8_t *out);

size_t ck_count_infinite(const float *values, size_t count);
