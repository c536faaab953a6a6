/* LD_PRELOAD: each call that opens a file for reading whose path contains SLOW_MATCH takes SLOW_MS longer, as on a disk
   at the end of a slow network. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void wait_for(const char *path, int flags) {
    const char *match = getenv("SLOW_MATCH"), *ms = getenv("SLOW_MS");
    if (!match || !ms || !path || (flags & O_ACCMODE) != O_RDONLY || !strstr(path, match)) return;
    struct timespec pause = {atol(ms) / 1000, atol(ms) % 1000 * 1000000};
    nanosleep(&pause, 0);
}

#define MODE(flags) va_list list; va_start(list, flags); int mode = va_arg(list, int); va_end(list)

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        static int (*next)(const char *, int, ...); \
        if (!next) next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        MODE(flags); \
        wait_for(path, flags); \
        return next(path, flags, mode); \
    }

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        static int (*next)(int, const char *, int, ...); \
        if (!next) next = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        MODE(flags); \
        wait_for(path, flags); \
        return next(folder, path, flags, mode); \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
