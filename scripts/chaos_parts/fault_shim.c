/* Faults of a machine for one process tree, by LD_PRELOAD; built by fault_shim.py. All are off
 * unless asked for:
 *
 * CHAOS_FSYNC_MS: milliseconds that every fsync and fdatasync takes longer.
 *
 * FAULT_SHIM_CONTROL names a file of 64 bytes that all such processes map; whoever writes into it
 * switches the faults of all of them on and off. Its fields, in the machine's order:
 *     uint32 faults      bits: 1 ENOSPC, 2 EIO of writes and syncs, 4 EROFS, 8 no inode,
 *                        16 slow fsync, 32 EIO of reads
 *     uint32 percent     of the calls that fail
 *     uint32 fsync_ms    what a slow fsync takes longer
 *     uint32 unused
 *     int64  offset_ns   of the wall clock
 *     uint64 struck      counts the calls that failed or were slowed
 * Disk faults hit what lies below FAULT_SHIM_PLACE; the clock's offset hits the whole process, and
 * CLOCK_REALTIME only: the monotonic clock is never touched. While nothing is on, a call costs one
 * look into the mapping.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FULL = 1, BROKEN = 2, READ_ONLY = 4, NO_INODE = 8, SLOW = 16, UNREADABLE = 32 };

static volatile struct {
    uint32_t faults, percent, fsync_ms, unused;
    int64_t offset_ns;
    uint64_t struck;
} * control;
static char place[PATH_MAX];
static size_t place_length;

#define REAL(name) ((__typeof__(&name))real(#name, &saved_##name))
#define SAVED(name) static void *saved_##name

static void *real(const char *name, void **saved) {
    if (!*saved) *saved = dlsym(RTLD_NEXT, name);
    return *saved;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULT_SHIM_CONTROL"), *below = getenv("FAULT_SHIM_PLACE");
    if (!path || !below || strlen(below) >= sizeof place) return;
    strcpy(place, below);
    place_length = strlen(place);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *mapped = mmap(0, 64, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) control = mapped;
}

static int below(const char *path) {
    return !strncmp(path, place, place_length) && (path[place_length] == '/' || !path[place_length]);
}

/* Whether a path as a caller gives it lies below the place. */
static int path_is_ours(int directory, const char *path) {
    char link[64], base[PATH_MAX];
    if (!path) return 0;
    if (path[0] == '/') return below(path);
    if (directory == AT_FDCWD) strcpy(link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t length = readlink(link, base, sizeof base - 1);
    if (length <= 0) return 0;
    base[length] = 0;
    return below(base);
}

static int file_is_ours(int file) {
    return path_is_ours(file, "");
}

/* The error that strikes now, of those in `kinds`; 0 if none does. */
static int strike(uint32_t kinds) {
    static __thread uint32_t dice = 2463534242u;
    uint32_t on = control->faults & kinds;
    if (!on) return 0;
    if (control->percent < 100) {
        dice ^= dice << 13, dice ^= dice >> 17, dice ^= dice << 5;
        if ((dice ^ (uint32_t)getpid()) % 100 >= control->percent) return 0;
    }
    __atomic_add_fetch(&control->struck, 1, __ATOMIC_RELAXED);
    return on & READ_ONLY ? EROFS : on & (BROKEN | UNREADABLE) ? EIO : ENOSPC;
}

static int armed(uint32_t kinds) {
    return control && (control->faults & kinds);
}

#define FAIL_FILE(file, kinds)                                   \
    if (armed(kinds) && file_is_ours(file)) {                    \
        int error = strike(kinds);                               \
        if (error) return errno = error, -1;                     \
    }
#define FAIL_PATH(directory, path, kinds)                        \
    if (armed(kinds) && path_is_ours(directory, path)) {         \
        int error = strike(kinds);                               \
        if (error) return errno = error, -1;                     \
    }

/* -- opening ------------------------------------------------------------------------------- */

static uint32_t of_opening(int directory, const char *path, int flags) {
    uint32_t kinds = 0;
    if ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC)) kinds |= READ_ONLY;
    if (flags & O_CREAT && faccessat(directory, path, F_OK, 0)) kinds |= NO_INODE | FULL;
    return kinds;
}

#define OPEN(name, words, call)                                                  \
    SAVED(name);                                                                 \
    int name words {                                                             \
        mode_t mode = 0;                                                         \
        if (flags & (O_CREAT | O_TMPFILE)) {                                     \
            va_list more;                                                        \
            va_start(more, flags);                                               \
            mode = va_arg(more, mode_t);                                         \
            va_end(more);                                                        \
        }                                                                        \
        if (armed(READ_ONLY | NO_INODE | FULL) && path_is_ours(directory, path)) { \
            int kept = errno, error = strike(of_opening(directory, path, flags));  \
            if (error) return errno = error, -1;                                 \
            errno = kept;                                                        \
        }                                                                        \
        return REAL(name) call;                                                  \
    }
#define directory AT_FDCWD
OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
#undef directory
OPEN(openat, (int directory, const char *path, int flags, ...), (directory, path, flags, mode))
OPEN(openat64, (int directory, const char *path, int flags, ...), (directory, path, flags, mode))

/* -- names --------------------------------------------------------------------------------- */

#define NAMES(name, words, call, where, path, kinds) \
    SAVED(name);                                     \
    int name words {                                 \
        FAIL_PATH(where, path, kinds)                \
        return REAL(name) call;                      \
    }
#define MAKES (FULL | NO_INODE | READ_ONLY)
NAMES(mkdir, (const char *path, mode_t mode), (path, mode), AT_FDCWD, path, MAKES)
NAMES(mkdirat, (int at, const char *path, mode_t mode), (at, path, mode), at, path, MAKES)
NAMES(symlink, (const char *to, const char *path), (to, path), AT_FDCWD, path, MAKES)
NAMES(unlink, (const char *path), (path), AT_FDCWD, path, READ_ONLY)
NAMES(unlinkat, (int at, const char *path, int flags), (at, path, flags), at, path, READ_ONLY)
NAMES(rmdir, (const char *path), (path), AT_FDCWD, path, READ_ONLY)
NAMES(rename, (const char *from, const char *to), (from, to), AT_FDCWD, to, READ_ONLY)
NAMES(chmod, (const char *path, mode_t mode), (path, mode), AT_FDCWD, path, READ_ONLY)

/* -- bytes --------------------------------------------------------------------------------- */

#define BYTES(type, name, words, call, kinds) \
    SAVED(name);                              \
    type name words {                         \
        FAIL_FILE(file, kinds)                \
        return REAL(name) call;               \
    }
#define WRITES (FULL | BROKEN | READ_ONLY)
BYTES(ssize_t, write, (int file, const void *from, size_t n), (file, from, n), WRITES)
BYTES(ssize_t, writev, (int file, const struct iovec *v, int n), (file, v, n), WRITES)
BYTES(ssize_t, pwrite, (int file, const void *from, size_t n, off_t at), (file, from, n, at), WRITES)
BYTES(ssize_t, pwrite64, (int file, const void *from, size_t n, off64_t at), (file, from, n, at),
      WRITES)
BYTES(ssize_t, pread, (int file, void *to, size_t n, off_t at), (file, to, n, at), UNREADABLE)
BYTES(ssize_t, pread64, (int file, void *to, size_t n, off64_t at), (file, to, n, at), UNREADABLE)
BYTES(int, ftruncate, (int file, off_t length), (file, length), WRITES)
BYTES(int, ftruncate64, (int file, off64_t length), (file, length), WRITES)

SAVED(posix_fallocate);
int posix_fallocate(int file, off_t from, off_t length) {
    if (armed(WRITES) && file_is_ours(file)) {
        int error = strike(WRITES);
        if (error) return error;
    }
    return REAL(posix_fallocate)(file, from, length);
}

static void pause_ms(long ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) && errno == EINTR) {}
}

static void slowly(int file) {
    const char *always = getenv("CHAOS_FSYNC_MS");
    if (always) pause_ms(atol(always));
    if (!armed(SLOW) || !file_is_ours(file)) return;
    __atomic_add_fetch(&control->struck, 1, __ATOMIC_RELAXED);
    pause_ms(control->fsync_ms);
}

#define SYNC(name)                          \
    SAVED(name);                            \
    int name(int file) {                    \
        slowly(file);                       \
        FAIL_FILE(file, BROKEN | READ_ONLY) \
        return REAL(name)(file);            \
    }
SYNC(fsync)
SYNC(fdatasync)

/* -- the wall clock ------------------------------------------------------------------------ */

SAVED(clock_gettime);
int clock_gettime(clockid_t clock, struct timespec *to) {
    int done = REAL(clock_gettime)(clock, to);
    if (!done && control && control->offset_ns && clock == CLOCK_REALTIME) {
        int64_t now = to->tv_sec * 1000000000LL + to->tv_nsec + control->offset_ns;
        to->tv_sec = now / 1000000000LL;
        to->tv_nsec = now % 1000000000LL;
    }
    return done;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    to->tv_sec = now.tv_sec;
    to->tv_usec = now.tv_nsec / 1000;
    return 0;
}
