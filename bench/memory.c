/*
 * Memory of a peer; see memory.h.
 *
 * The number of operations is fixed, unlike that of a timed block: two runs are to
 * be compared, and a log or a cache grows with what was done.
 */
#define _GNU_SOURCE /* mallinfo2() */

#include "memory.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef BENCH_MALLINFO2
#include <malloc.h>
#endif

#include "cases.h"
#include "heap.h"

#define OPERATIONS 16

extern char **environ;

/* A line of /proc/self/status, in KiB. */
static double status_kib(const char *key)
{
    FILE *f = fopen("/proc/self/status", "re");
    size_t len = strlen(key);
    double kib = NAN;
    char line[256];

    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, len) == 0 && line[len] == ':')
            kib = strtod(line + len + 1, NULL);
    }
    if (f)
        fclose(f);
    return kib;
}

static double heap_kib(void)
{
#ifdef BENCH_MALLINFO2
    struct mallinfo2 m = mallinfo2();

    return (double)(m.uordblks + m.hblkhd) / 1024;
#else
    return NAN;
#endif
}

static double wal_kib(const char *database)
{
    char name[BENCH_PATH_MAX + 8];
    struct stat s;

    snprintf(name, sizeof name, "%s-wal", database);
    return stat(name, &s) == 0 ? (double)s.st_size / 1024 : 0;
}

static bool run_block(const bench_ops *ops, void *state, uint64_t first)
{
    bench_block b = {.first = first, .count = OPERATIONS};

    return (!ops->prepare || ops->prepare(state)) && ops->run(state, &b);
}

bool bench_memory_tell(const bench_case *of, size_t peer, const bench_place *place)
{
    const bench_ops *ops = of->peers[peer].ops;
    bench_ctx ctx = {.of = of, .peer = &of->peers[peer]};
    double rss = status_kib("VmRSS");
    double heap = heap_kib();
    uint64_t allocations = 0;
    void *state;
    bool ok;

    bench_place_database(place, peer, ctx.path);
    state = ops->open(&ctx);
    ok = state && run_block(ops, state, 0) && (!ops->prepare || ops->prepare(state));
    if (ok) {
        bench_block b = {.first = OPERATIONS, .count = OPERATIONS};

        allocations = bench_heap_allocations_all();
        ok = ops->run(state, &b);
        allocations = bench_heap_allocations_all() - allocations;
        printf("%.1f %.1f %.4f %.1f\n", status_kib("VmHWM") - rss, heap_kib() - heap,
               (double)allocations / OPERATIONS, wal_kib(ctx.path));
    }
    if (state)
        ops->close(state);
    bench_place_remove(ctx.path);
    return ok;
}

/* The program itself, with its standard output in a pipe; -1: said why. */
static pid_t start(const bench_case *of, size_t peer, const char *dir, int *out)
{
    char name[BENCH_NAME_MAX];
    char *args[] = {"rsq-bench",
                    "once",
                    "--memory",
                    "--filter",
                    name,
                    "--peer",
                    (char *)(uintptr_t)of->peers[peer].name,
                    "--dir",
                    (char *)(uintptr_t)dir,
                    NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    int ends[2];
    int error;

    bench_case_name(of, name);
    if (pipe(ends) != 0) {
        fprintf(stderr, "rsq-bench: pipe: %s\n", strerror(errno));
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    error = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, args, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error == 0) {
        *out = ends[0];
        return pid;
    }
    close(ends[0]);
    fprintf(stderr, "rsq-bench: start another rsq-bench: %s\n", strerror(error));
    return -1;
}

static bool read_figures(int fd, bench_memory *out)
{
    FILE *f = fdopen(fd, "r");
    int found = 0;

    if (!f) {
        close(fd);
        return false;
    }
    while (found < BENCH_MEMORIES && fscanf(f, "%lf", &out->figures[found]) == 1)
        found++;
    fclose(f);
    return found == BENCH_MEMORIES;
}

bool bench_memory_of(const bench_case *of, size_t peer, const char *dir, bench_memory *out)
{
    int fd = -1;
    int status = 0;
    pid_t pid;
    bool ok;

    for (size_t i = 0; i < BENCH_MEMORIES; i++)
        out->figures[i] = NAN;
    if (of->peers[peer].ops->elsewhere)
        return true;
    pid = start(of, peer, dir, &fd);
    if (pid < 0)
        return false;
    ok = read_figures(fd, out);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return false;
    }
    ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ok)
        fprintf(stderr, "rsq-bench: %s/%s %s: no figures of its memory\n", of->workload, of->name,
                of->peers[peer].name);
    return ok;
}
