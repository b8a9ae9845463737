// Runs a command and writes what the system says of it: Spawn FILE COMMAND [ARGUMENT…]
//
// A child's peak of memory counts what it had before it became another program, which is what its
// parent had then. So the parent has to be small: this program, and not the benchmarks.
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

static double seconds(struct timeval time) { return time.tv_sec + time.tv_usec * 1e-6; }

int main(int count, char **arguments) {
  if (count < 3) return 64;
  double start = now();
  pid_t child = fork();
  if (child < 0) return 71;
  if (child == 0) {
    execvp(arguments[2], arguments + 2);
    _exit(127);
  }
  int status;
  struct rusage usage;
  if (wait4(child, &status, 0, &usage) != child) return 71;
  double wall = now() - start;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  FILE *file = fopen(arguments[1], "w");
  if (!file) return 73;
  fprintf(file, "%d %.9f %.6f %ld\n", code, wall, seconds(usage.ru_utime) + seconds(usage.ru_stime),
          usage.ru_maxrss);
  return fclose(file) == 0 ? 0 : 73;
}
