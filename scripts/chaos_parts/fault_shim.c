/* Faults of a machine for one process tree, by LD_PRELOAD. Each is off unless its variable is set.
 *   CHAOS_FSYNC_MS   milliseconds that every fsync and fdatasync takes longer
 * Built by fault_shim.py where a C compiler is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static void pause_ms(long ms) {
    if (ms <= 0) return;
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000L};
    while (nanosleep(&left, &left) != 0) {}
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    pause_ms(number("CHAOS_FSYNC_MS"));
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    pause_ms(number("CHAOS_FSYNC_MS"));
    return real(fd);
}
