/* Running callgrind, and reading what it wrote; see callgrind.h. */
#define _POSIX_C_SOURCE 200809L /* posix_spawnp(), waitpid() */

#include "callgrind.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char **environ;

#define NAMES_MAX 16384

/* The functions of interest, by the numbers that the file gives them. 0 stands for all others. */
typedef struct reader {
    callgrind_entry *entries;
    unsigned count;
    uint8_t callee[NAMES_MAX]; /* bit mask would do; index + 1 of the first entry that names it */
    uint8_t caller[NAMES_MAX]; /* the same of `inside` */
    unsigned at, to;           /* numbers of the function that is read, and of the one it calls */
    bool is_call;              /* the next line has the cost of a call */
    uint64_t total;
} reader;

/* Run it with nothing on its output. The exit status, or -1. */
static int run(char *const argv[])
{
    posix_spawn_file_actions_t actions;
    int status = -1;
    pid_t child;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&child, argv[0], &actions, NULL, argv, environ) == 0) {
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

bool callgrind_is_there(void)
{
    char valgrind[] = "valgrind", version[] = "--version";
    char *const argv[] = {valgrind, version, NULL};

    return run(argv) == 0;
}

static uint8_t index_of(const reader *r, const char *name, bool inside)
{
    for (unsigned i = 0; i < r->count; i++) {
        const char *wanted = inside ? r->entries[i].inside : r->entries[i].function;

        if (wanted && strcmp(wanted, name) == 0)
            return (uint8_t)(i + 1);
    }
    return 0;
}

/* "(12) name" where the name is told for the first time, "(12)" afterwards. The number; 0: not understood. */
static unsigned read_name(reader *r, const char *text)
{
    unsigned number = 0;
    int len = 0;

    if (sscanf(text, "(%u)%n", &number, &len) < 1 || len == 0 || number >= NAMES_MAX)
        return 0;
    if (text[len] == ' ') {
        r->callee[number] = index_of(r, text + len + 1, false);
        r->caller[number] = index_of(r, text + len + 1, true);
    }
    return number;
}

/* The cost of a call, with all below it. */
static void count_call(reader *r, uint64_t cost)
{
    const char *function = r->callee[r->to] ? r->entries[r->callee[r->to] - 1].function : NULL;
    const char *inside = r->caller[r->at] ? r->entries[r->caller[r->at] - 1].inside : NULL;

    for (unsigned i = 0; function && i < r->count; i++) {
        callgrind_entry *e = &r->entries[i];

        if (strcmp(e->function, function) == 0 && (!e->inside || (inside && strcmp(e->inside, inside) == 0)))
            e->instructions += cost;
    }
}

static void read_line(reader *r, char *line)
{
    unsigned long long cost;

    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "fn=", 3) == 0)
        r->at = read_name(r, line + 3);
    else if (strncmp(line, "cfn=", 4) == 0)
        r->to = read_name(r, line + 4);
    else if (strncmp(line, "calls=", 6) == 0)
        r->is_call = true;
    else if (sscanf(line, "totals: %llu", &cost) == 1)
        r->total = cost;
    else if (r->is_call) {
        r->is_call = false;
        if (sscanf(line, "%*s %llu", &cost) == 1)
            count_call(r, cost);
    }
}

static bool read_file(reader *r, const char *path)
{
    FILE *f = fopen(path, "re");
    char line[4096];

    if (!f)
        return false;
    while (fgets(line, sizeof line, f))
        read_line(r, line);
    fclose(f);
    return r->total > 0;
}

bool callgrind_run(const char *dir, const char *of, const char *peer, uint64_t ops, callgrind_entry *entries,
                   unsigned count, uint64_t *total)
{
    char file[BENCH_PATH_MAX], out[BENCH_PATH_MAX + 32], self[BENCH_PATH_MAX], number[24];
    char *argv[] = {"valgrind",
                    "--tool=callgrind",
                    "--collect-atstart=no",
                    "--toggle-collect=bench_counted_block",
                    out,
                    self,
                    "once",
                    "--filter",
                    (char *)(uintptr_t)of,
                    "--peer",
                    (char *)(uintptr_t)peer,
                    "--ops",
                    number,
                    "--dir",
                    (char *)(uintptr_t)dir,
                    NULL};
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    reader *r = calloc(1, sizeof *r);
    bool ok = r && len > 0;

    if (ok) {
        self[len] = '\0';
        snprintf(file, sizeof file, "%s/callgrind.out", dir);
        snprintf(out, sizeof out, "--callgrind-out-file=%s", file);
        snprintf(number, sizeof number, "%llu", (unsigned long long)ops);
        r->entries = entries;
        r->count = count;
        ok = run(argv) == 0 && read_file(r, file);
        unlink(file);
    }
    if (ok)
        *total = r->total;
    free(r);
    return ok;
}
