/* Counts the operations by which a process changes files below a folder, and makes the n-th one the
 * last: the process is killed before it, or it and all later ones fail. Loaded with LD_PRELOAD.
 *
 *   WRITE_FAULTS_BELOW   the folder, as it is in the paths
 *   WRITE_FAULTS_AT      the number of the operation, from 1; none if it is absent
 *   WRITE_FAULTS_ERRNO   the error of failing operations; killed if it is absent
 *   WRITE_FAULTS_COUNT   a file that gets the number of operations at the end
 *   WRITE_FAULTS_NAMES   a file that gets a line for each name that is given to a file or folder,
 *                        and for each folder whose names are written to the disk
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

/* The path of an open file, in a buffer of 4096 bytes; empty if it has none. */
static void path_of(int file, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, 4095);
  path[length > 0 ? length : 0] = 0;
}

static int is_open_below(int file) {
  char path[4096];
  path_of(file, path);
  return is_below(path);
}

/* Adds a line to WRITE_FAULTS_NAMES. */
static void note(const char *what, const char *path) {
  static int names = -1;
  const char *to = getenv("WRITE_FAULTS_NAMES");
  if (!to) return;
  pthread_mutex_lock(&lock);
  if (names < 0) names = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (names >= 0) dprintf(names, "%s %s\n", what, path);
  pthread_mutex_unlock(&lock);
}

/* Notes a name, once it is there. */
static int named(int result, const char *path) {
  if (result == 0 && is_below(path)) note("named", path);
  return result;
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
  /* Before it begins: of a name that is given meanwhile nothing is known. */
  char path[4096];
  path_of(file, path);
  note("synced", path);
  return original(file);
}

int rename(const char *from, const char *to) {
  ORIGINAL(rename);
  if (is_below(to) && fails()) return -1;
  return named(original(from, to), to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  ORIGINAL(linkat);
  if (is_below(to) && fails()) return -1;
  return named(original(from_folder, from, to_folder, to, flags), to);
}

int unlink(const char *path) {
  ORIGINAL(unlink);
  if (is_below(path) && fails()) return -1;
  return original(path);
}

int mkdir(const char *path, mode_t mode) {
  ORIGINAL(mkdir);
  if (is_below(path) && fails()) return -1;
  return named(original(path, mode), path);
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("WRITE_FAULTS_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", operations);
  fclose(file);
}
