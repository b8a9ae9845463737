#pragma once

#include <stddef.h>

/// Two running SHA-256 digests, the second of a part of what the first is of.
typedef struct ck_sha256_pair ck_sha256_pair;

/// A pair without bytes; NULL when memory is exhausted.
ck_sha256_pair *_Nullable ck_sha256_pair_new(void);

void ck_sha256_pair_free(ck_sha256_pair *_Nonnull pair);

/// Adds bytes to both digests.
void ck_sha256_pair_update(ck_sha256_pair *_Nonnull pair, const void *_Nullable bytes, size_t count);

/// Adds bytes to the first digest alone.
void ck_sha256_pair_update_first(ck_sha256_pair *_Nonnull pair, const void *_Nullable bytes,
                                 size_t count);

/// Writes the first digest, and starts it again.
void ck_sha256_pair_finish_first(ck_sha256_pair *_Nonnull pair, unsigned char *_Nonnull digest);

/// Writes the second digest, and starts it again.
void ck_sha256_pair_finish_second(ck_sha256_pair *_Nonnull pair, unsigned char *_Nonnull digest);
