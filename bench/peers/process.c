/* Peers that are programs; see process.h. BENCH_PEERS_… come from meson.build. */
#define _GNU_SOURCE /* pipe2(), getline() */

#include "peers/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define WHY_MAX 512

/* What is called, and what must be installed for it. */
static const struct {
    const char *name;
    const char *command[2]; /* an interpreter, and its program; or a program alone */
    const char *file;       /* without it, it is not worth trying; NULL: try */
} programs[PROCESSES] = {
    [PROCESS_BETTER_SQLITE3] = {"better-sqlite3",
                                {"node", BENCH_PEERS_SOURCE "/better_sqlite3.mjs"},
                                BENCH_PEERS_SOURCE "/node_modules/better-sqlite3"},
    /* Debian's package is for the system's Python, whichever python3 comes first in the path. */
    [PROCESS_AIOSQLITE] = {"aiosqlite", {"/usr/bin/python3", BENCH_PEERS_SOURCE "/peer_aiosqlite.py"}, NULL},
    [PROCESS_PGLITE] = {"pglite",
                        {"node", BENCH_PEERS_SOURCE "/pglite.mjs"},
                        BENCH_PEERS_SOURCE "/node_modules/@electric-sql/pglite"},
    [PROCESS_SQLITECPP] = {"sqlitecpp",
                           {BENCH_PEERS_BUILD "/peer-sqlitecpp"},
                           BENCH_PEERS_BUILD "/peer-sqlitecpp"},
};

struct process {
    pid_t pid;
    FILE *to;   /* owned */
    FILE *from; /* owned */
    char *line; /* owned: the last answer */
    size_t room;
    char why[WHY_MAX];
};

const char *process_name(int which)
{
    return programs[which].name;
}

/* ------------------------------------------------------ starting and ending -- */

static bool spawn(int which, const char *option, process *x)
{
    char *argv[4] = {NULL};
    posix_spawn_file_actions_t actions;
    int in[2];
    int out[2];
    int n = 0;
    int failed;

    for (int i = 0; i < 2 && programs[which].command[i]; i++)
        argv[n++] = (char *)(uintptr_t)programs[which].command[i];
    argv[n] = (char *)(uintptr_t)option;
    if (pipe2(in, O_CLOEXEC) != 0)
        return false;
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    failed = posix_spawnp(&x->pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    x->to = fdopen(in[1], "w");
    x->from = fdopen(out[0], "r");
    errno = failed;
    return failed == 0 && x->to && x->from;
}

/* Its exit status. */
static int finish(process *x)
{
    int status = -1;

    /* At the end of its input it ends. */
    if (x->to)
        fclose(x->to);
    if (x->from)
        fclose(x->from);
    if (x->pid > 0)
        waitpid(x->pid, &status, 0);
    free(x->line);
    return status;
}

bool process_find(int which, char *version, size_t size)
{
    process x = {.pid = 0};
    ssize_t len = -1;

    if (programs[which].file && access(programs[which].file, F_OK) != 0) {
        snprintf(version, size, "not installed (make bench-peers)");
        return false;
    }
    if (spawn(which, "--version", &x))
        len = getline(&x.line, &x.room, x.from);
    snprintf(version, size, "%.*s", len > 0 ? (int)strcspn(x.line, "\n") : 0, len > 0 ? x.line : "");
    if (finish(&x) == 0 && len > 0)
        return true;
    if (version[0] == '\0')
        snprintf(version, size, "does not run (make bench-peers)");
    return false;
}

/* ------------------------------------------------------------------ speaking -- */

static bool fail(process *x, const char *what)
{
    snprintf(x->why, sizeof x->why, "%s", what);
    return false;
}

/* What follows `"name":` in the answer; NULL: nothing. The peers write one object without spaces. */
static const char *member(const process *x, const char *name)
{
    char key[32];
    const char *at;

    snprintf(key, sizeof key, "\"%s\":", name);
    at = strstr(x->line, key);
    return at ? at + strlen(key) : NULL;
}

/* The answer to the line that was written is in x->line. */
static bool answer(process *x)
{
    if (fflush(x->to) != 0 || getline(&x->line, &x->room, x->from) <= 0)
        return fail(x, "it ended");
    x->line[strcspn(x->line, "\n")] = '\0';
    if (!member(x, "error"))
        return true;
    return fail(x, member(x, "error"));
}

process *process_start(int which, const plan *p, const char *path, char *why, size_t size)
{
    process *x = calloc(1, sizeof *x);

    if (!x) {
        snprintf(why, size, "out of memory");
        return NULL;
    }
    /* One that ends early must be an error of the write, not the end of this program. */
    signal(SIGPIPE, SIG_IGN);
    if (!spawn(which, NULL, x)) {
        snprintf(why, size, "cannot start it: %s", strerror(errno));
        process_stop(x);
        return NULL;
    }
    plan_write(p, path, x->to);
    if (answer(x))
        return x;
    snprintf(why, size, "%s", x->why);
    process_stop(x);
    return NULL;
}

bool process_prepare(process *x)
{
    fprintf(x->to, "{\"prepare\":true}\n");
    return answer(x);
}

bool process_hash(process *x, uint64_t operations, uint64_t *hash)
{
    const char *value;

    fprintf(x->to, "{\"hash\":%" PRIu64 "}\n", operations);
    if (!answer(x))
        return false;
    value = member(x, "hash");
    if (!value)
        return fail(x, "an answer without hash");
    *hash = strtoull(value, NULL, 10);
    return true;
}

static bool take_each(process *x, uint64_t count, double *us)
{
    const char *at = member(x, "each");

    if (!at)
        return fail(x, "an answer without times");
    for (uint64_t i = 0; i < count; i++) {
        char *end;

        us[i] = strtod(at + 1, &end) / 1000.0; /* behind a bracket or a comma */
        if (end == at + 1)
            return fail(x, "an answer with too few times");
        at = end;
    }
    return true;
}

bool process_run(process *x, uint64_t first, uint64_t count, double *total_us, double *sum, double *us)
{
    const char *ns;
    const char *visited;

    fprintf(x->to, "{\"run\":{\"first\":%" PRIu64 ",\"count\":%" PRIu64 ",\"each\":%s}}\n", first, count,
            us ? "true" : "false");
    if (!answer(x))
        return false;
    ns = member(x, "ns");
    visited = member(x, "sum");
    if (!ns || !visited)
        return fail(x, "an answer without time or sum");
    *total_us = strtod(ns, NULL) / 1000.0;
    *sum = strtod(visited, NULL);
    return !us || take_each(x, count, us);
}

const char *process_why(const process *x)
{
    return x->why;
}

void process_stop(process *x)
{
    if (!x)
        return;
    finish(x);
    free(x);
}
