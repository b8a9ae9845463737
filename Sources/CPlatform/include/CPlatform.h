#pragma once

#include <sys/types.h>

// Linux calls that Swift's Glibc module does not show, because they need _GNU_SOURCE.

/// Has `handler` called when the signal comes, and calls that wait end with EINTR then.
void ck_catch_signal(int number, void (*_Nullable handler)(int));

/// Swaps what two names refer to, in one step; 0, or -1 with errno set.
int ck_exchange(const char *_Nonnull first, const char *_Nonnull second);

/// Renames to a name that must be free, in one step; 0, or -1 with errno set.
int ck_move_to_free(const char *_Nonnull first, const char *_Nonnull second);

/// Copies up to `count` bytes between files inside the kernel; the number copied, or -1 with errno.
ssize_t ck_copy_file_range(int input, off_t input_offset, int output, off_t output_offset,
                           size_t count);

/// Starts writing a file's dirty pages to the disk, and does not wait; 0, or -1 with errno set.
int ck_start_writeback(int file, off_t offset, off_t count);

/// Processors that this process may run on: fewer than there are when its parent has bound it.
int ck_available_processors(void);

/// Whether AddressSanitizer watches: it knows what lies around memory of the heap, not of a mapping.
int ck_guards_memory(void);

/// Zeroed bytes of the heap at the start of a page; NULL when there are none.
void *_Nullable ck_heap_bytes(size_t count);
