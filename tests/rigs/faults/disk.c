/* A disk that remembers how much of each file is safe, and can be slow.
 *
 * Preloaded into a store, it notes the size that a file had when fsync or fdatasync was called, once that call has
 * returned: in FAULTS_NOTES, in a file named by the inode. After a power cut no more than that is certain.
 * FAULTS_FSYNC_US makes each such call take that many microseconds longer.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void note(const struct stat *file, off_t size) {
  const char *directory = getenv("FAULTS_NOTES");
  if (!directory || !S_ISREG(file->st_mode)) return;
  char path[4096], digits[24];
  snprintf(path, sizeof path, "%s/%lu", directory, (unsigned long)file->st_ino);
  int length = snprintf(digits, sizeof digits, "%020lld", (long long)size);
  int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (to < 0) return;
  if (pwrite(to, digits, length, 0) != length) abort(); /* a note that lies is worse than no store */
  close(to);
}

static void be_slow(void) {
  const char *delay = getenv("FAULTS_FSYNC_US");
  if (!delay) return;
  long us = atol(delay);
  struct timespec pause = {us / 1000000, us % 1000000 * 1000};
  nanosleep(&pause, NULL);
}

/* What is written while the call runs may or may not be safe, so the size is taken before it. */
static int synced(int fd, const char *name) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  struct stat file;
  int known = fstat(fd, &file) == 0;
  be_slow();
  int result = real(fd);
  int error = errno;
  if (result == 0 && known) note(&file, file.st_size);
  errno = error;
  return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }

/* A file that was cut must not keep a note of more than it holds. */
static int cut(int fd, off_t length, const char *name) {
  int (*real)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, name);
  int result = real(fd, length);
  int error = errno;
  struct stat file;
  if (result == 0 && fstat(fd, &file) == 0) note(&file, length);
  errno = error;
  return result;
}

int ftruncate(int fd, off_t length) { return cut(fd, length, "ftruncate"); }
int ftruncate64(int fd, off_t length) { return cut(fd, length, "ftruncate64"); }
