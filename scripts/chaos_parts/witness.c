/* witness WORD VERDICT: one line about the calling sheet into the ledger, on disk before it returns.
 *
 * WITNESS_LEDGER names the file. The line is a single write to a file opened for appending:
 *     WORD JOB SHEET ATTEMPT SHELL WORKER NANOSECONDS BOOT VERDICT LOCK
 * SHELL and WORKER are the pids of the sheet's script and of its parent, the time is monotonic.
 * LOCK: "held" if another process has the lock of descriptor 9, which every process of an attempt
 * inherits; "free" if not; "-" for any word but start. Exit code 0 when the line is on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static const char *value(const char *name) {
    const char *found = getenv(name);
    return found && *found ? found : "-";
}

static long parent_of(long pid) {
    char path[64], text[512], *end;
    long parent = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = 0;
    if ((end = strrchr(text, ')'))) sscanf(end + 1, " %*c %ld", &parent);
    return parent;
}

int main(int count, char **words) {
    char boot[9] = "-", line[1024];
    struct timespec now;
    if (count < 2) return 2;
    const char *verdict = count > 2 ? words[2] : "-", *lock = "-";
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY);
    if (file >= 0) {
        if (read(file, boot, 8) == 8) boot[8] = 0;
        close(file);
    }
    if (!strcmp(words[1], "start")) lock = flock(9, LOCK_EX | LOCK_NB) ? "held" : "free";
    if (!getenv("WITNESS_LEDGER")) return 3;  /* this job's environment was lost */
    file = open(value("WITNESS_LEDGER"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return 3;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long shell = getppid();
    int length = snprintf(line, sizeof line, "%s %s %s %s %ld %ld %lld %s %s %s\n", words[1],
                          value("MARIANNE_JOB_ID"), value("MARIANNE_SHEET"),
                          value("MARIANNE_ATTEMPT"), shell, parent_of(shell),
                          now.tv_sec * 1000000000LL + now.tv_nsec, boot, verdict, lock);
    if (write(file, line, length) != length) return 4;
    return fsync(file) ? 5 : 0;
}
