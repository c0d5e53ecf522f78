/* The temporary directory of a run; see place.h. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp() */

#include "place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool bench_place_open(bench_place *p, const char *parent)
{
    int len;

    if (!parent)
        parent = getenv("TMPDIR");
    if (!parent || parent[0] == '\0')
        parent = "/tmp";
    len = snprintf(p->dir, sizeof p->dir, "%s/rsq-bench-XXXXXX", parent);
    if (len < 0 || (size_t)len >= sizeof p->dir) {
        fprintf(stderr, "rsq-bench: %s: name too long\n", parent);
        p->dir[0] = '\0';
        return false;
    }
    if (!mkdtemp(p->dir)) {
        fprintf(stderr, "rsq-bench: %s: %s\n", parent, strerror(errno));
        p->dir[0] = '\0';
        return false;
    }
    return true;
}

void bench_place_database(const bench_place *p, size_t i, char path[BENCH_PATH_MAX])
{
    snprintf(path, BENCH_PATH_MAX, "%s/peer-%zu.db", p->dir, i);
}

void bench_place_remove(const char *path)
{
    static const char *const beside[] = {"", "-wal", "-shm", "-journal"};
    char name[BENCH_PATH_MAX + 16];

    for (size_t i = 0; i < BENCH_LENGTH(beside); i++) {
        snprintf(name, sizeof name, "%s%s", path, beside[i]);
        unlink(name); /* most are not there; what stays shows when the directory is removed */
    }
}

bool bench_place_close(bench_place *p)
{
    if (rmdir(p->dir) == 0)
        return true;
    fprintf(stderr, "rsq-bench: %s: %s\n", p->dir, strerror(errno));
    return false;
}
