/* LD_PRELOAD: count the calls that change a file whose path contains KILL_MATCH, and kill the process group, or fail with
   ENOSPC, at the KILL_AT-th of them. KILL_WHEN says how: before, after, half (of a write), full (ENOSPC from then on). */
#define _GNU_SOURCE
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

static int is_full(int number) {
    const char *at = getenv("KILL_AT");
    if (!number || !at || number < atoi(at) || !is("full")) return 0;
    errno = ENOSPC;
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
        int number = CHANGES(flags) ? enter(path, 0) : 0;                            \
        if (is_full(number)) return -1;                                           \
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
        int number = CHANGES(flags) ? enter(path, 0) : 0;                            \
        if (is_full(number)) return -1;                                           \
        int result = next(folder, path, flags, mode);                             \
        leave(number);                                                            \
        return result;                                                            \
    }
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t size) {
    NEXT(write);
    char buffer[4096];
    const char *at = getenv("KILL_AT");
    int number = fd > 2 && getenv("KILL_MATCH") ? enter(path_of(fd, buffer, sizeof buffer), 1) : 0;
    if (is_full(number)) return -1;
    if (number && at && number == atoi(at) && is("half")) {
        next(fd, bytes, size / 2);
        die();
    }
    ssize_t result = next(fd, bytes, size);
    leave(number);
    return result;
}

#define DEFINE_TWO_PATHS(name, parameters, path, arguments)                       \
    int name parameters {                                                         \
        NEXT(name);                                                               \
        int number = enter(path, 0);                                                 \
        if (is_full(number)) return -1;                                           \
        int result = next arguments;                                              \
        leave(number);                                                            \
        return result;                                                            \
    }
DEFINE_TWO_PATHS(rename, (const char *from, const char *to), to, (from, to))
DEFINE_TWO_PATHS(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), to, (a, from, b, to, flags))
DEFINE_TWO_PATHS(link, (const char *from, const char *to), to, (from, to))
DEFINE_TWO_PATHS(linkat, (int a, const char *from, int b, const char *to, int flags), to, (a, from, b, to, flags))
DEFINE_TWO_PATHS(unlink, (const char *path), path, (path))
DEFINE_TWO_PATHS(mkdir, (const char *path, mode_t mode), path, (path, mode))
