/*
 * `rsq-bench seeds`: the figures of the texts that this library began with, one a
 * line: where it is from, what it was there and on what machine, what it is here,
 * and the command that says so. See docs/benchmarks.md.
 *
 * The commands are this program's own. Each is run once, for all figures that it
 * gives, as a user would run it; what it writes as JSON is read back.
 */
#define _POSIX_C_SOURCE 200809L /* posix_spawn() */

#include <fcntl.h>
#include <jansson.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "tables.h"

extern char **environ;

#define COMMANDS_MAX 48

/* All of them were taken on one machine, by programs in Dart. */
#define HARDWARE "M1 Pro, Dart 3.11"

typedef struct figure {
    const char *source; /* number of the text */
    const char *what;
    const char *published;
    /* Words of the command; NULL: nothing measures it yet. */
    const char *command;
    const char *filter; /* of the command; NULL: it takes none */
    const char *of;     /* case, as the command's JSON has it */
    const char *peer;
    const char *member;
    double scale; /* from the unit there to the one here */
    const char *unit;
} figure;

#define LADDER(source, what, published, filter, of, peer, member, scale, unit)   \
    {                                                                            \
        source, what, published, "ladder", filter, of, peer, member, scale, unit \
    }
#define RUN(source, what, published, filter, of, peer, scale, unit)             \
    {                                                                           \
        source, what, published, "run", filter, of, peer, "median", scale, unit \
    }
#define AUDIT(source, what, published, of, peer, unit)                            \
    {                                                                             \
        source, what, published, "audit writer", NULL, of, peer, "value", 1, unit \
    }

/* 500 look-ups by somebody. */
#define LOOK_UPS(who, peer, total, median, p95, least)                                                     \
    LADDER("000", "500 look-ups, " who ": total", total, "look-up/flat-by-1", "look-up/flat-by-1", peer,   \
           "total_ms", 1, "ms"),                                                                           \
        LADDER("000", "500 look-ups, " who ": median", median, "look-up/flat-by-1", "look-up/flat-by-1",   \
               peer, "median", 1, "us"),                                                                   \
        LADDER("000", "500 look-ups, " who ": p95", p95, "look-up/flat-by-1", "look-up/flat-by-1", peer,   \
               "p95", 1, "us"),                                                                            \
        LADDER("000", "500 look-ups, " who ": min", least, "look-up/flat-by-1", "look-up/flat-by-1", peer, \
               "min", 1, "us")

#define HAND_OFF(what, published, of, peer, member) \
    LADDER("000", what, published, "hand-off/*", "hand-off/" of, peer, member, 1, "us")
#define TRANSFER(what, published, of, peer) \
    LADDER("000", what, published, "transfer/*", "transfer/" of, peer, "median", 1, "us")

/* Shares of the wall of a write burst, and what follows from them. */
#define WRITER(workload, handle, step, dispatch)                                                     \
    AUDIT("003", workload ": writer handle", handle, workload, "writer handle", "% of the wall"),    \
        AUDIT("003", workload ": SQLite step", step, workload, "SQLite step", "% of the wall"),      \
        AUDIT("003", workload ": dispatch", dispatch, workload, "writer dispatch", "% of the wall"), \
        AUDIT("003", workload ": a write", "not given", workload, "wall", "us"),                     \
        AUDIT("003", workload ": parked waiters", "0", workload, "parked_total", "waiters")

/* Two texts have these. */
#define SAME_WINS(source)                                                                                 \
    RUN(source, "100 single inserts", "1.88 -> 1.61 ms", "insert/sequential-*", "insert/sequential-100",  \
        "resqlite", 1e-3, "ms"),                                                                          \
        RUN(source, "batch of 10,000", "4.21 -> 3.68 ms", "batch/10000", "batch/10000", "resqlite", 1e-3, \
            "ms"),                                                                                        \
        RUN(source, "batch of 1,000 in a transaction", "0.43 -> 0.39 ms", "transaction/batch-*",          \
            "transaction/batch-1000", "resqlite", 1e-3, "ms"),                                            \
        RUN(source, "200 inserts without streams", "4.03 -> 3.40 ms", "insert/sequential-*",              \
            "insert/sequential-200", "resqlite", 1e-3, "ms")

static const figure figures[] = {
    HAND_OFF("round trip, nothing to do", "6 us", "nothing", "condvar", "median"),
    HAND_OFF("round trip, the leanest way", "2 us", "nothing", "futex-parked", "median"),
    HAND_OFF("round trip, 1 record", "10 us", "records-1", "condvar", "median"),
    HAND_OFF("round trip, 10 records", "13 us", "records-10", "condvar", "median"),
    HAND_OFF("a thread for it, nothing to do", "50 us", "nothing", "thread-per-query", "median"),
    HAND_OFF("a thread for it, 1 record", "47 us", "records-1", "thread-per-query", "median"),
    HAND_OFF("a thread for it, 10 records", "46 us", "records-10", "thread-per-query", "median"),
    HAND_OFF("phase: request", "3 us", "records-1", "condvar", "request"),
    HAND_OFF("phase: work", "0 us", "records-1", "condvar", "work"),
    HAND_OFF("phase: reply", "3 us", "records-1", "condvar", "reply"),
    HAND_OFF("phase: request, p95", "5 us", "records-1", "condvar", "request_p95"),
    HAND_OFF("phase: work, p95", "1 us", "records-1", "condvar", "work_p95"),
    HAND_OFF("phase: reply, p95", "6 us", "records-1", "condvar", "reply_p95"),
    HAND_OFF("pool pattern: a thread for each", "67 us", "records-1", "thread-per-query", "median"),
    HAND_OFF("pool pattern: plain", "10 us", "records-1", "pool-condvar", "median"),
    HAND_OFF("pool pattern: lean", "6 us", "records-1", "pool-futex", "median"),
    HAND_OFF("pool pattern: flat rows", "6 us", "flat-1", "pool-futex", "median"),
    HAND_OFF("pool pattern: closure", "7 us", "records-1", "pool-futex-closure", "median"),
    HAND_OFF("pool pattern: no wrapper", "7 us", "flat-1", "pool-condvar", "median"),
    TRANSFER("1 record copied", "15 us", "records-1", "pool-futex-copied"),
    TRANSFER("1 row flat, copied", "9 us", "flat-1", "pool-futex-copied"),
    TRANSFER("10 records copied", "14 us", "records-10", "pool-futex-copied"),
    TRANSFER("10 rows flat, copied", "8 us", "flat-10", "pool-futex-copied"),
    TRANSFER("50 records copied", "32 us", "records-50", "pool-futex-copied"),
    TRANSFER("50 rows flat, copied", "14 us", "flat-50", "pool-futex-copied"),
    TRANSFER("1 record from a thread of its own", "61 us", "records-1", "thread-per-query"),
    TRANSFER("1 row flat from a thread of its own", "56 us", "flat-1", "thread-per-query"),
    TRANSFER("10 records from a thread of its own", "51 us", "records-10", "thread-per-query"),
    TRANSFER("10 rows flat from a thread of its own", "50 us", "flat-10", "thread-per-query"),
    TRANSFER("50 records from a thread of its own", "68 us", "records-50", "thread-per-query"),
    TRANSFER("50 rows flat from a thread of its own", "51 us", "flat-50", "thread-per-query"),
    LOOK_UPS("in place", "resqlite", "46-51 ms", "84-91 us", "149-187 us", "59-60 us"),
    LOOK_UPS("on a worker", "resqlite-wait", "46-51 ms", "84-91 us", "149-187 us", "59-60 us"),
    LOOK_UPS("plain SQLite", "same-thread", "not given", "not given", "not given", "not given"),
    LOOK_UPS("better-sqlite3", "better-sqlite3", "not given", "not given", "not given", "not given"),
    LOOK_UPS("aiosqlite (there: sqlite_async)", "aiosqlite", "47-48 ms", "84-87 us", "147-161 us",
             "59-60 us"),
    LOOK_UPS("SQLiteCpp", "sqlitecpp", "not given", "not given", "not given", "not given"),

    RUN("001", "5,000 rows, wall", "2.25 ms", "parts/*", "parts/wall-5000", "resqlite-async", 1e-3, "ms"),
    RUN("001", "5,000 rows as JSON, wall", "3.14 ms", "parts/*", "parts/wall-5000", "resqlite-json-async",
        1e-3, "ms"),
    RUN("001", "5,000 rows, plain SQLite (there: sqlite3)", "4.20 ms", "parts/*", "parts/wall-5000", "raw",
        1e-3, "ms"),
    RUN("001", "5,000 rows in place (there: sqlite_async)", "4.10 ms", "parts/*", "parts/wall-5000",
        "resqlite", 1e-3, "ms"),
    RUN("001", "5,000 rows, caller's time", "0.49 ms", "parts/*", "parts/caller-5000", "resqlite-async", 1e-3,
        "ms"),
    RUN("001", "5,000 rows as JSON, caller's time", "0.00 ms", "parts/*", "parts/caller-5000",
        "resqlite-json-async", 1e-3, "ms"),
    RUN("001", "the same, plain SQLite: all of its wall", "4.20 ms", "parts/*", "parts/wall-5000", "raw",
        1e-3, "ms"),
    RUN("001", "the same, in place (there: sqlite_async 0.83)", "0.83 ms", "parts/*", "parts/wall-5000",
        "resqlite", 1e-3, "ms"),
    RUN("001", "mutex operations, 20,000 rows, mutexes on", "60000", "parts/*", "parts/locks-20000",
        "raw-mutexes", 1, "locks"),
    RUN("001", "mutex operations, 20,000 rows", "2", "parts/*", "parts/locks-20000", "resqlite", 1, "locks"),
    RUN("001", "heap objects, 20,000 rows as records", "200000", "parts/*", "parts/objects-20000",
        "resqlite-records", 1, "objects"),
    RUN("001", "heap objects, 20,000 rows", "3", "parts/*", "parts/objects-20000", "resqlite", 1, "objects"),

    RUN("002", "batch of 100 in a transaction", "0.59 -> 0.52 ms", "transaction/batch-*",
        "transaction/batch-100", "resqlite", 1e-3, "ms"),
    RUN("002", "growing stream, batch of 100", "0.60 -> 0.52 ms", "event/growing", "event/growing",
        "resqlite", 1e-3, "ms"),
    RUN("002", "interactive transaction", "0.05 ms", "transaction/dialogue", "transaction/dialogue",
        "resqlite", 1e-3, "ms"),
    RUN("002", "batch of 100, control statements compiled", "0.59 ms", "parts/*", "parts/control-100",
        "raw-compiled", 1e-3, "ms"),
    RUN("002", "batch of 100, control statements kept", "0.52 ms", "parts/*", "parts/control-100", "raw",
        1e-3, "ms"),
    SAME_WINS("002"),
    RUN("002", "batch of 10,000, parameters copied", "4.21 ms", "parts/*", "parts/parameters-10000",
        "raw-copied", 1e-3, "ms"),
    RUN("002", "batch of 10,000, parameters in place", "3.68 ms", "parts/*", "parts/parameters-10000", "raw",
        1e-3, "ms"),

    WRITER("baseline", "not given", "not given", "not given"),
    WRITER("disjoint", "not given", "not given", "not given"),
    WRITER("overlap", "22-24 %", "9-11 %", "12-14 %"),
    WRITER("keyed", "not given", "not given", "not given"),

    SAME_WINS("004"),
    RUN("004", "20,000 rows", "12.24 -> 10.88 ms", "rows/20000", "rows/20000", "resqlite", 1e-3, "ms"),
    RUN("004", "10,000 rows as result, then JSON", "23.92 -> 20.78 ms", "parts/*", "parts/json-10000",
        "resqlite-then-json", 1e-3, "ms"),
    RUN("004", "the same 10,000 rows as JSON at once", "not given", "parts/*", "parts/json-10000", "resqlite",
        1e-3, "ms"),
    RUN("004", "parameterised, 100 queries of 500 rows", "15.15 -> 14.48 ms", "parameterised/*",
        "parameterised/category", "resqlite", 0.1, "ms"),
    RUN("004", "4 reads together", "-66 %", "concurrent/4", "concurrent/4", "resqlite", 1e-3, "ms"),
    RUN("004", "stream churn, 100 times", "-48 %", "subscribe/churn", "subscribe/churn", "resqlite", 0.1,
        "ms"),
    RUN("004", "memory of 10,000 rows", "no change", "memory/heap-10000", "memory/heap-10000", "resqlite", 1,
        "bytes a row"),
};

/* What a command wrote. */
typedef struct outcome {
    const char *command;
    const char *filter;
    json_t *lines; /* owned: an array; empty if it failed */
} outcome;

typedef struct seeds {
    bench_tables tables;
    outcome outcomes[COMMANDS_MAX];
    size_t noutcomes;
    unsigned unmeasured;
} seeds;

/* ---------------------------------------------------------- running commands -- */

static void to_nowhere(posix_spawn_file_actions_t *actions)
{
    posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
}

static bool run_self(const seeds *s, const figure *f, const char *json)
{
    char words[64];
    char *argv[16] = {"rsq-bench"};
    posix_spawn_file_actions_t actions;
    int status = -1;
    int n = 1;
    pid_t pid;
    int failed;

    snprintf(words, sizeof words, "%s", f->command);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[n++] = word;
    if (f->filter) {
        argv[n++] = "--filter";
        argv[n++] = (char *)(uintptr_t)f->filter;
    }
    if (s->tables.quick)
        argv[n++] = "--quick";
    argv[n++] = "--dir";
    argv[n++] = (char *)(uintptr_t)s->tables.place.dir;
    argv[n++] = "--json";
    argv[n++] = (char *)(uintptr_t)json;
    posix_spawn_file_actions_init(&actions);
    to_nowhere(&actions);
    failed = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed == 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* The objects of a file of JSON lines. */
static json_t *read_lines(const char *path)
{
    json_t *lines = json_array();
    FILE *f = fopen(path, "re");
    json_t *line;

    while (f && lines && (line = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL)) != NULL)
        json_array_append_new(lines, line);
    if (f)
        fclose(f);
    return lines;
}

static bool is_of(const outcome *o, const figure *f)
{
    if (strcmp(o->command, f->command) != 0 || !o->filter != !f->filter)
        return false;
    return !f->filter || strcmp(o->filter, f->filter) == 0;
}

/* What the figure's command wrote; it is run if it was not yet. */
static const outcome *outcome_of(seeds *s, const figure *f)
{
    char path[BENCH_PATH_MAX];
    outcome *o;

    for (size_t i = 0; i < s->noutcomes; i++) {
        if (is_of(&s->outcomes[i], f))
            return &s->outcomes[i];
    }
    if (s->noutcomes == COMMANDS_MAX)
        return NULL;
    o = &s->outcomes[s->noutcomes++];
    *o = (outcome){.command = f->command, .filter = f->filter};
    snprintf(path, sizeof path, "%s/lines", s->tables.place.dir);
    o->lines = run_self(s, f, path) ? read_lines(path) : json_array();
    unlink(path);
    return o;
}

/* ------------------------------------------------------------------- a line -- */

static bool is_line_of(const json_t *line, const figure *f)
{
    const char *workload = json_string_value(json_object_get(line, "workload"));
    const char *name = json_string_value(json_object_get(line, "case"));
    const char *peer = json_string_value(json_object_get(line, "peer"));
    char full[BENCH_PATH_MAX];

    if (!workload || !name || !peer || strcmp(peer, f->peer) != 0)
        return false;
    snprintf(full, sizeof full, "%s/%s", workload, name);
    return strcmp(name, f->of) == 0 || strcmp(full, f->of) == 0;
}

/* False: it is not there. */
static bool find(const outcome *o, const figure *f, double *value)
{
    size_t i;
    json_t *line;

    if (!o || !o->lines)
        return false;
    json_array_foreach(o->lines, i, line)
    {
        const json_t *member = json_object_get(line, f->member);

        if (is_line_of(line, f) && json_is_number(member)) {
            *value = json_number_value(member) * f->scale;
            return true;
        }
    }
    return false;
}

/* Four digits; of counts all, as they are given there. */
static void format_figure(char *out, size_t size, double value, const char *unit)
{
    if (value >= 10000)
        snprintf(out, size, "%.0f %s", value, unit);
    else
        snprintf(out, size, "%.4g %s", value, unit);
}

static void print_line(const char *from, const char *what, const char *there, const char *on,
                       const char *here, const char *command)
{
    printf("%-4s %-50s %-18s %-18s %-22s %s", from, what, there, on, here, command);
}

static void print_figure(seeds *s, const figure *f)
{
    double value = 0;
    bool measured = find(outcome_of(s, f), f, &value);
    char ours[64] = "not measured";

    if (measured)
        format_figure(ours, sizeof ours, value, f->unit);
    s->unmeasured += !measured;
    print_line(f->source, f->what, f->published, HARDWARE, ours, "rsq-bench ");
    printf("%s%s%s%s\n", f->command, f->filter ? " --filter '" : "", f->filter ? f->filter : "",
           f->filter ? "'" : "");
    if (s->tables.json && measured)
        fprintf(
            s->tables.json,
            "{\"workload\":\"seeds\",\"source\":\"%s\",\"case\":\"%s\",\"published\":\"%s\",\"unit\":\"%s\","
            "\"median\":%.6g}\n",
            f->source, f->what, f->published, f->unit, value);
    fflush(stdout);
}

int bench_seeds(const bench_options *o)
{
    seeds s = {.noutcomes = 0};

    if (!bench_tables_begin(&s.tables, o))
        return BENCH_EXIT_USAGE;
    print_line("from", "figure", "there", "on", "here", "command\n");
    for (size_t i = 0; i < BENCH_LENGTH(figures); i++) {
        char name[96];

        snprintf(name, sizeof name, "%s/%s", figures[i].source, figures[i].what);
        if (bench_tables_want(&s.tables, name))
            print_figure(&s, &figures[i]);
    }
    for (size_t i = 0; i < s.noutcomes; i++)
        json_decref(s.outcomes[i].lines);
    if (s.tables.wanted > 0)
        printf("\n%u figures, %u not measured\n", s.tables.wanted, s.unmeasured);
    return bench_tables_end(&s.tables, s.unmeasured > 0 ? BENCH_EXIT_MISSED : BENCH_EXIT_OK);
}
