/* LD_PRELOAD: count the calls that change a file whose path contains KILL_MATCH, and kill the process group, or fail, at
   the KILL_AT-th of them. KILL_WHEN says how:

       before, after, half    SIGKILL before or after the call, or half way through a write
       full                   no space left from then on (ENOSPC): what makes or fills files fails
       readonly, denied       a file system that turned read-only (EROFS), a folder that may not be written (EACCES)
       shut                   a folder that may not even be read: EACCES, always

   KILL_SYNCED names a file that gets a line for each fsync: inode, and the time of the last change in nanoseconds. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(name) static __typeof__(&name) next; if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static atomic_int calls;

static int is(const char *when) {
    const char *set = getenv("KILL_WHEN");
    return set && !strcmp(set, when);
}

static void die(void) {
    kill(-getpgrp(), SIGKILL);
    for (;;) pause();
}

/* Return the number of a call on a path that counts, 0 for another; die before it where that is asked for. */
static int enter(const char *path, int is_write) {
    const char *match = getenv("KILL_MATCH"), *at = getenv("KILL_AT"), *count = getenv("KILL_COUNT");
    if (!match || !path || !strstr(path, match) || (is("half") && !is_write)) return 0;
    int number = atomic_fetch_add(&calls, 1) + 1;
    if (count) { /* the last number is how many calls there are */
        FILE *file = fopen(count, "w");
        if (file) { fprintf(file, "%d", number); fclose(file); }
    }
    if (at && number == atoi(at) && is("before")) die();
    return number;
}

static void leave(int number) {
    const char *at = getenv("KILL_AT");
    if (number && at && number == atoi(at) && is("after")) die();
}

/* Tell whether a call fails, and set errno; `needs_space` is what a full disk refuses. */
static int fails(int number, int needs_space) {
    const char *at = getenv("KILL_AT");
    if (!number || !at || number < atoi(at)) return 0;
    int error = is("full") && needs_space ? ENOSPC : is("readonly") ? EROFS : is("denied") ? EACCES : 0;
    if (error) errno = error;
    return error != 0;
}

static int is_shut(const char *path) {
    const char *match = getenv("KILL_MATCH");
    if (!match || !path || !is("shut") || !strstr(path, match)) return 0;
    errno = EACCES;
    return 1;
}

static const char *path_of(int fd, char *buffer, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, size - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return buffer;
}

#define CHANGES(flags) ((flags) & (O_CREAT | O_WRONLY | O_RDWR))

#define DEFINE_OPEN(name)                                                         \
    int name(const char *path, int flags, ...) {                                  \
        NEXT(name);                                                               \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        int number = CHANGES(flags) ? enter(path, 0) : 0;                         \
        if (is_shut(path) || fails(number, flags & O_CREAT)) return -1;           \
        int result = next(path, flags, mode);                                     \
        leave(number);                                                            \
        return result;                                                            \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_OPENAT(name)                                                       \
    int name(int folder, const char *path, int flags, ...) {                      \
        NEXT(name);                                                               \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        int number = CHANGES(flags) ? enter(path, 0) : 0;                         \
        if (is_shut(path) || fails(number, flags & O_CREAT)) return -1;           \
        int result = next(folder, path, flags, mode);                             \
        leave(number);                                                            \
        return result;                                                            \
    }
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

DIR *opendir(const char *path) {
    NEXT(opendir);
    return is_shut(path) ? NULL : next(path);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    NEXT(write);
    char buffer[4096];
    const char *at = getenv("KILL_AT");
    int number = fd > 2 && getenv("KILL_MATCH") ? enter(path_of(fd, buffer, sizeof buffer), 1) : 0;
    if (fails(number, 1)) return -1;
    if (number && at && number == atoi(at) && is("half")) {
        next(fd, bytes, size / 2);
        die();
    }
    ssize_t result = next(fd, bytes, size);
    leave(number);
    return result;
}

/* Note what is safe from a power cut. */
static void note(int fd) {
    const char *file = getenv("KILL_SYNCED");
    struct stat found;
    if (!file || fstat(fd, &found)) return;
    FILE *list = fopen(file, "a");
    if (!list) return;
    fprintf(list, "%lu %lld\n", found.st_ino, found.st_mtim.tv_sec * 1000000000LL + found.st_mtim.tv_nsec);
    fclose(list);
}

#define DEFINE_SYNC(name)                                                         \
    int name(int fd) {                                                            \
        NEXT(name);                                                               \
        int result = next(fd);                                                    \
        note(fd);                                                                 \
        return result;                                                            \
    }
DEFINE_SYNC(fsync)
DEFINE_SYNC(fdatasync)

#define DEFINE_CHANGE(name, parameters, path, arguments, needs_space)             \
    int name parameters {                                                         \
        NEXT(name);                                                               \
        int number = enter(path, 0);                                              \
        if (is_shut(path) || fails(number, needs_space)) return -1;               \
        int result = next arguments;                                              \
        leave(number);                                                            \
        return result;                                                            \
    }
DEFINE_CHANGE(rename, (const char *from, const char *to), to, (from, to), 0)
DEFINE_CHANGE(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), to, (a, from, b, to, flags), 0)
DEFINE_CHANGE(link, (const char *from, const char *to), to, (from, to), 1)
DEFINE_CHANGE(linkat, (int a, const char *from, int b, const char *to, int flags), to, (a, from, b, to, flags), 1)
DEFINE_CHANGE(unlink, (const char *path), path, (path), 0)
DEFINE_CHANGE(rmdir, (const char *path), path, (path), 0)
DEFINE_CHANGE(mkdir, (const char *path, mode_t mode), path, (path, mode), 1)
