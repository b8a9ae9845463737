#define _GNU_SOURCE
#include "CPlatform.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ck_catch_signal(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, 0);
}

int ck_exchange(const char *first, const char *second) {
  return renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE);
}

int ck_move_to_free(const char *first, const char *second) {
  return renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_NOREPLACE);
}

ssize_t ck_copy_file_range(int input, off_t input_offset, int output, off_t output_offset,
                           size_t count) {
  return copy_file_range(input, &input_offset, output, &output_offset, count, 0);
}

int ck_start_writeback(int file, off_t offset, off_t count) {
  return sync_file_range(file, offset, count, SYNC_FILE_RANGE_WRITE);
}

int ck_available_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int ck_guards_memory(void) {
#if __has_feature(address_sanitizer)
  return 1;
#else
  return 0;
#endif
}

void *ck_heap_bytes(size_t count) {
  void *memory;
  return posix_memalign(&memory, 4096, count) == 0 ? memset(memory, 0, count) : NULL;
}
