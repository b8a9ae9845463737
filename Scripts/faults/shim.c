// Loaded with LD_PRELOAD: the n-th call to the system that concerns a file below one folder goes wrong.
//
// FAULT_ROOT  the folder, absolute
// FAULT_AT    number of the call, from 1; 0 for none
// FAULT_KIND  an errno's number; "short" for one byte instead of many; "kill" or "term" for a signal
// FAULT_LOG   a file that gets the name of every call, a line each

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GO_ON = 0, SHORT = -1, TRACKED = 1024 };

static const char *root, *kind;
static size_t root_length;
static long at;
static atomic_long calls;
static int log_number = -1;
static _Atomic char is_ours[TRACKED];
static DIR *_Atomic folders[16];

__attribute__((constructor)) static void start(void) {
  root = getenv("FAULT_ROOT");
  kind = getenv("FAULT_KIND");
  root_length = root ? strlen(root) : 0;
  const char *number = getenv("FAULT_AT"), *log = getenv("FAULT_LOG");
  at = number ? atol(number) : 0;
  if (!log) return;
  int file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  log_number = fcntl(file, F_DUPFD_CLOEXEC, 900);
  syscall(SYS_close, file);
}

static int path_counts(const char *path) { return root && strncmp(path, root, root_length) == 0; }

static int file_counts(int file) { return file >= 0 && file < TRACKED && is_ours[file]; }

/// What shall become of the call `name`: nothing, a short one, or an errno.
static int verdict(const char *name) {
  long number = atomic_fetch_add(&calls, 1) + 1;
  if (log_number >= 0) {
    char line[64];
    size_t length = strlen(name);
    memcpy(line, name, length);
    line[length] = '\n';
    syscall(SYS_write, log_number, line, length + 1);
  }
  if (number != at || !kind) return GO_ON;
  if (strcmp(kind, "kill") == 0) kill(getpid(), SIGKILL);
  if (strcmp(kind, "term") == 0) {
    kill(getpid(), SIGTERM);
    return GO_ON;
  }
  return strcmp(kind, "short") == 0 ? SHORT : atoi(kind);
}

#define NEXT(name) static __typeof__(&name) next; if (!next) next = dlsym(RTLD_NEXT, #name)

/// A call that gives -1 when it fails.
#define PLAIN(type, name, parameters, arguments, counts)                                           \
  type name parameters {                                                                           \
    NEXT(name);                                                                                    \
    int fate = (counts) ? verdict(#name) : GO_ON;                                                  \
    if (fate > 0) return errno = fate, -1;                                                         \
    return next arguments;                                                                         \
  }

/// A call that moves bytes, and may move fewer than it was asked to.
#define MOVING(name, parameters, arguments, counts)                                                \
  ssize_t name parameters {                                                                        \
    NEXT(name);                                                                                    \
    int fate = (counts) ? verdict(#name) : GO_ON;                                                  \
    if (fate > 0) return errno = fate, -1;                                                         \
    if (fate == SHORT && count > 1) count = 1;                                                     \
    return next arguments;                                                                         \
  }

MOVING(read, (int file, void *bytes, size_t count), (file, bytes, count), file_counts(file))
MOVING(write, (int file, const void *bytes, size_t count), (file, bytes, count), file_counts(file))
MOVING(pread, (int file, void *bytes, size_t count, off_t offset), (file, bytes, count, offset),
       file_counts(file))
MOVING(pwrite, (int file, const void *bytes, size_t count, off_t offset),
       (file, bytes, count, offset), file_counts(file))
MOVING(copy_file_range,
       (int from, off_t *start, int to, off_t *offset, size_t count, unsigned flags),
       (from, start, to, offset, count, flags), file_counts(from) || file_counts(to))
PLAIN(int, fsync, (int file), (file), file_counts(file))
PLAIN(int, flock, (int file, int operation), (file, operation), file_counts(file))
PLAIN(int, ftruncate, (int file, off_t count), (file, count), file_counts(file))
PLAIN(int, fstat, (int file, struct stat *status), (file, status), file_counts(file))
PLAIN(int, stat, (const char *path, struct stat *status), (path, status), path_counts(path))
PLAIN(int, lstat, (const char *path, struct stat *status), (path, status), path_counts(path))
PLAIN(int, statvfs, (const char *path, struct statvfs *status), (path, status), path_counts(path))
PLAIN(int, mkdir, (const char *path, mode_t mode), (path, mode), path_counts(path))
PLAIN(int, unlink, (const char *path), (path), path_counts(path))
PLAIN(int, rmdir, (const char *path), (path), path_counts(path))
PLAIN(int, rename, (const char *from, const char *to), (from, to), path_counts(from))
PLAIN(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags),
      (a, from, b, to, flags), path_counts(from))

int open(const char *path, int flags, ...) {
  NEXT(open);
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  int counts = path_counts(path), fate = counts ? verdict("open") : GO_ON;
  if (fate > 0) return errno = fate, -1;
  int file = next(path, flags, mode);
  if (file >= 0 && file < TRACKED) is_ours[file] = (char)counts;
  return file;
}

int close(int file) {
  NEXT(close);
  int fate = file_counts(file) ? verdict("close") : GO_ON;
  if (file >= 0 && file < TRACKED) is_ours[file] = 0;
  int result = next(file);
  return fate > 0 ? (errno = fate, -1) : result;
}

char *realpath(const char *path, char *resolved) {
  NEXT(realpath);
  int fate = path_counts(path) ? verdict("realpath") : GO_ON;
  if (fate > 0) return errno = fate, NULL;
  return next(path, resolved);
}

DIR *opendir(const char *path) {
  NEXT(opendir);
  int counts = path_counts(path), fate = counts ? verdict("opendir") : GO_ON;
  if (fate > 0) return errno = fate, NULL;
  DIR *folder = next(path);
  for (int i = 0; counts && folder && i < 16; i++) {
    if (folders[i]) continue;
    folders[i] = folder;
    break;
  }
  return folder;
}

struct dirent *readdir(DIR *folder) {
  NEXT(readdir);
  int counts = 0;
  for (int i = 0; i < 16; i++) counts |= folders[i] == folder;
  int fate = counts ? verdict("readdir") : GO_ON;
  if (fate > 0) return errno = fate, NULL;
  return next(folder);
}

int closedir(DIR *folder) {
  NEXT(closedir);
  for (int i = 0; i < 16; i++)
    if (folders[i] == folder) folders[i] = NULL;
  return next(folder);
}
