/* Counts the operations by which a process changes files below a folder, and makes the n-th one the
 * last: the process is killed before it, or it and all later ones fail. Loaded with LD_PRELOAD.
 *
 *   WRITE_FAULTS_BELOW   the folder, as it is in the paths
 *   WRITE_FAULTS_AT      the number of the operation, from 1; none if it is absent
 *   WRITE_FAULTS_ERRNO   the error of failing operations; killed if it is absent
 *   WRITE_FAULTS_COUNT   a file that gets the number of operations at the end
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long operations = 0;

static int is_below(const char *path) {
  const char *folder = getenv("WRITE_FAULTS_BELOW");
  return folder && path && strstr(path, folder) != NULL;
}

static int is_open_below(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return is_below(path);
}

/* Whether the operation fails; does not return if it is the one to be killed at. */
static int fails(void) {
  const char *at = getenv("WRITE_FAULTS_AT"), *error = getenv("WRITE_FAULTS_ERRNO");
  pthread_mutex_lock(&lock);
  long number = ++operations;
  pthread_mutex_unlock(&lock);
  if (!at || number < atol(at)) return 0;
  if (!error) {
    kill(getpid(), SIGKILL);
    pause();
  }
  errno = atoi(error);
  return 1;
}

#define ORIGINAL(name) \
  static __typeof__(&name) original; \
  if (!original) original = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  ORIGINAL(open64);
  if ((flags & O_CREAT) && is_below(path) && fails()) return -1;
  return original(path, flags, mode);
}

ssize_t write(int file, const void *bytes, size_t count) {
  ORIGINAL(write);
  if (file > 2 && is_open_below(file) && fails()) return -1;
  return original(file, bytes, count);
}

int fdatasync(int file) {
  ORIGINAL(fdatasync);
  if (is_open_below(file) && fails()) return -1;
  return original(file);
}

int fsync(int file) {
  ORIGINAL(fsync);
  if (is_open_below(file) && fails()) return -1;
  return original(file);
}

int rename(const char *from, const char *to) {
  ORIGINAL(rename);
  if (is_below(to) && fails()) return -1;
  return original(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  ORIGINAL(linkat);
  if (is_below(to) && fails()) return -1;
  return original(from_folder, from, to_folder, to, flags);
}

int unlink(const char *path) {
  ORIGINAL(unlink);
  if (is_below(path) && fails()) return -1;
  return original(path);
}

int mkdir(const char *path, mode_t mode) {
  ORIGINAL(mkdir);
  if (is_below(path) && fails()) return -1;
  return original(path, mode);
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("WRITE_FAULTS_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", operations);
  fclose(file);
}
