/*
 * rsq-bench: measures the library against the C loop over SQLite that it stands
 * in for. This file is the command line; the method is in measure.c, the cases
 * are in the tables of reads.c, async.c, writes.c and open.c.
 */
#define _POSIX_C_SOURCE 200809L /* sigaction() */

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#include "bench.h"
#include "counts.h"
#include "machine.h"
#include "measure.h"
#include "place.h"
#include "report.h"

/* Exit codes, as in --help. */
enum { EXIT_MISSED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

static const bench_area *const areas[] = {&bench_area_reads, &bench_area_async, &bench_area_writes,
                                          &bench_area_open};

static const bench_effort effort_full = {.samples_min = 15, .seconds = 1.0, .shorten = 1};
static const bench_effort effort_quick = {.samples_min = 5, .seconds = 0.05, .shorten = 4};

static const char help[] =
    "usage: rsq-bench [COMMAND] [OPTION]...\n"
    "\n"
    "Measure resqlite against a C loop over the same SQLite, in one run.\n"
    "\n"
    "commands:\n"
    "  run       measure and print a table; without a command: run --quick\n"
    "  goals     measure the cases that have goals, print each goal and whether it is met\n"
    "  open      goals of opening a database\n"
    "  list      print the cases with their peers and goals, measure nothing\n"
    "  once      run --ops operations of the peer --peer, twice, and measure nothing: for tools that\n"
    "            count instructions (bench/instructions.py)\n"
    "\n"
    "options:\n"
    "  --filter GLOB  only cases whose WORKLOAD/CASE matches, e.g. 'rows/*'\n"
    "  --area AREA    goals: only those of foundation, reads or writes\n"
    "  --peer NAME    once: the peer\n"
    "  --ops N        once: how many operations (default: 1)\n"
    "  --instructions FILE\n"
    "                 goals: judge goals within 10 % of 1.00 by these instruction counts, where it has them\n"
    "  --quick        short blocks and few of them: enough to see that all is well, not to judge by\n"
    "  --json FILE    run, goals, open: also write JSON lines to FILE\n"
    "  --dir DIR      where the databases are made, in a directory that is removed afterwards\n"
    "                 (default: TMPDIR, or /tmp); its file system matters for writes\n"
    "  --help         this text\n"
    "\n"
    "exit status: 0 all well, 1 a goal is missed or a case or the output failed,\n"
    "             2 wrong usage, 130 interrupted\n"
    "\n"
    "example: rsq-bench goals --area reads --filter 'rows/*' --json rows.json\n";

typedef enum command { COMMAND_RUN, COMMAND_GOALS, COMMAND_OPEN, COMMAND_LIST, COMMAND_ONCE } command;

typedef struct settings {
    command command;
    const char *filter;    /* NULL: all */
    const char *area;      /* NULL: all */
    const char *json_path; /* NULL: none */
    const char *dir;       /* NULL: the default */
    const char *peer;      /* once; NULL: not given */
    const char *ops;       /* once; NULL: 1 */
    const char *counts;    /* goals; NULL: none */
    const bench_effort *effort;
} settings;

bool bench_fail(const bench_ctx *at, const char *format, ...)
{
    char message[768];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fprintf(stderr, "rsq-bench: %s/%s %s: %s\n", at->of->workload, at->of->name, at->peer->name, message);
    return false;
}

bool bench_fail_code(const bench_ctx *at, const char *what, rsq_code code, const rsq_error *err)
{
    return bench_fail(at, "%s: %s (%s)", what, err->message, rsq_code_name(code));
}

/* ----------------------------------------------------------- command line -- */

static int usage_error(const char *what, const char *about)
{
    fprintf(stderr, "rsq-bench: %s: %s; see rsq-bench --help\n", about, what);
    return EXIT_USAGE;
}

static bool parse_command(const char *word, command *out)
{
    static const char *const words[] = {[COMMAND_RUN] = "run",
                                        [COMMAND_GOALS] = "goals",
                                        [COMMAND_OPEN] = "open",
                                        [COMMAND_LIST] = "list",
                                        [COMMAND_ONCE] = "once"};

    for (size_t i = 0; i < BENCH_LENGTH(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = (command)i;
            return true;
        }
    }
    return false;
}

/* Where the value of an option goes; NULL if there is no such option. */
static const char **value_of(settings *s, const char *option)
{
    if (strcmp(option, "--filter") == 0)
        return &s->filter;
    if (strcmp(option, "--area") == 0)
        return &s->area;
    if (strcmp(option, "--json") == 0)
        return &s->json_path;
    if (strcmp(option, "--dir") == 0)
        return &s->dir;
    if (strcmp(option, "--peer") == 0)
        return &s->peer;
    if (strcmp(option, "--ops") == 0)
        return &s->ops;
    if (strcmp(option, "--instructions") == 0)
        return &s->counts;
    return NULL;
}

/* -1: go on; else the exit status. */
static int parse(settings *s, int argc, char **argv)
{
    int i = 1;

    if (argc > 1 && argv[1][0] != '-') {
        if (!parse_command(argv[1], &s->command))
            return usage_error("no such command", argv[1]);
        s->effort = &effort_full;
        i = 2;
    }
    for (; i < argc; i++) {
        const char **value;

        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        if (strcmp(argv[i], "--quick") == 0) {
            s->effort = &effort_quick;
            continue;
        }
        value = value_of(s, argv[i]);
        if (!value)
            return usage_error("no such option", argv[i]);
        if (i + 1 == argc)
            return usage_error("needs a value", argv[i]);
        *value = argv[++i];
    }
    return -1;
}

/* --------------------------------------------------------------- commands -- */

static bool has_goal(const bench_case *c, const char *area)
{
    for (size_t i = 0; i < BENCH_GOALS_MAX && c->goals[i].area; i++) {
        if (bench_goal_in(&c->goals[i], area))
            return true;
    }
    return false;
}

static bool is_wanted(const settings *s, const bench_case *c)
{
    char name[64];

    snprintf(name, sizeof name, "%s/%s", c->workload, c->name);
    if (s->command == COMMAND_OPEN && strcmp(c->workload, "open") != 0)
        return false;
    if ((s->command == COMMAND_GOALS || s->command == COMMAND_OPEN || s->area) && !has_goal(c, s->area))
        return false;
    return !s->filter || fnmatch(s->filter, name, 0) == 0;
}

/* Call `each` for every wanted case until it returns false; the number of calls. */
static size_t for_each_case(const settings *s, bool (*each)(const bench_case *, void *), void *ctx)
{
    size_t n = 0;

    for (size_t a = 0; a < BENCH_LENGTH(areas); a++) {
        for (size_t i = 0; i < areas[a]->count; i++) {
            const bench_case *c = &areas[a]->cases[i];

            if (!is_wanted(s, c))
                continue;
            n++;
            if (!each(c, ctx))
                return n;
        }
    }
    return n;
}

/* A misspelt peer in a table would read beyond it; so every name is looked up before anything runs. */
static bool check_case(const bench_case *c, void *ctx)
{
    bool *ok = ctx;

    for (size_t i = 0; i < BENCH_PEERS_MAX && c->peers[i].name; i++) {
        const char *to = c->peers[i].to;

        *ok = *ok && (!to || bench_peer_index(c, to) < BENCH_PEERS_MAX);
        *ok = *ok && (!to || c->peers[bench_peer_index(c, to)].name);
    }
    for (size_t i = 0; i < BENCH_GOALS_MAX && c->goals[i].area; i++) {
        size_t peer = bench_peer_index(c, c->goals[i].peer);
        size_t to = bench_peer_index(c, c->goals[i].to);

        *ok = *ok && peer < BENCH_PEERS_MAX && c->peers[peer].name;
        *ok = *ok && to < BENCH_PEERS_MAX && c->peers[to].name;
    }
    if (!*ok)
        fprintf(stderr, "rsq-bench: %s/%s: its table names a peer that it does not have\n", c->workload,
                c->name);
    return *ok;
}

static bool list_case(const bench_case *c, void *ctx)
{
    (void)ctx;
    printf("%s/%s (%s)\n  peers:", c->workload, c->name, c->unit);
    for (size_t i = 0; i < BENCH_PEERS_MAX && c->peers[i].name; i++)
        printf(" %s", c->peers[i].name);
    printf("\n");
    for (size_t i = 0; i < BENCH_GOALS_MAX && c->goals[i].area; i++) {
        const bench_goal *g = &c->goals[i];

        if (g->kind == BENCH_GOAL_VALUE)
            printf("  goal:  %s <= %.2f %s (%s)\n", g->peer, g->max, c->unit, g->area);
        else if (g->kind == BENCH_GOAL_EXCESS)
            printf("  goal:  %s - %s <= %.2f %s (%s)\n", g->peer, g->to, g->max, c->unit, g->area);
        else
            printf("  goal:  %s / %s <= %.2f (%s)\n", g->peer, g->to, g->max, g->area);
    }
    return true;
}

typedef struct session {
    const settings *settings;
    bench_place place;
    FILE *json; /* owned; NULL: none */
    bench_counts counts;
    bench_tally tally;
    unsigned failed;
    bool interrupted;
} session;

static bool measure_case(const bench_case *c, void *ctx)
{
    session *s = ctx;
    bench_outcome o;
    bench_end end = bench_measure(c, &s->place, s->settings->effort, &o);

    if (end == BENCH_FAILED)
        s->failed++;
    if (end == BENCH_MEASURED && s->json)
        bench_report_json(&o, s->json);
    if (end != BENCH_INTERRUPTED && s->settings->command != COMMAND_RUN)
        bench_report_goals(c, end == BENCH_MEASURED ? &o : NULL, s->settings->area, &s->counts, &s->tally,
                           stdout);
    else if (end == BENCH_MEASURED)
        bench_report_table(&o, stdout);
    s->interrupted = end == BENCH_INTERRUPTED;
    bench_outcome_fini(&o);
    /* Nobody reads on: a pipe was closed, or the disk is full. */
    return !s->interrupted && !ferror(stdout);
}

static void on_signal(int number)
{
    (void)number;
    bench_interrupt();
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    /* A closed pipe shall end the run like any failed write, with the databases removed. */
    act.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &act, NULL);
}

static int session_status(const session *s, size_t measured)
{
    if (s->interrupted)
        return EXIT_INTERRUPTED;
    if (measured == 0)
        return usage_error("no case matches", s->settings->filter ? s->settings->filter : s->settings->area);
    if (s->settings->command != COMMAND_RUN)
        printf("\n%u met, %u missed\n", s->tally.met, s->tally.missed);
    return s->failed > 0 || s->tally.missed > 0 ? EXIT_MISSED : EXIT_SUCCESS;
}

static bool output_failed(const char *name)
{
    fprintf(stderr, "rsq-bench: %s: %s\n", name, errno ? strerror(errno) : "write error");
    return false;
}

/* Write errors show when a file is flushed for the last time, so that decides. */
static bool close_outputs(const session *s)
{
    bool ok = true;

    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        ok = output_failed("standard output");
    errno = 0;
    if (s->json && (ferror(s->json) | fclose(s->json)) != 0)
        ok = output_failed(s->settings->json_path);
    return ok;
}

static int run_session(session *s)
{
    bench_machine machine;
    size_t measured;

    bench_machine_look(&machine, s->place.dir);
    bench_machine_print(&machine, stdout);
    if (s->json)
        bench_machine_json(&machine, s->json);
    if (s->settings->command == COMMAND_RUN)
        bench_report_table_head(stdout);
    else
        bench_report_goals_head(stdout);
    fflush(stdout);
    measured = for_each_case(s->settings, measure_case, s);
    return session_status(s, measured);
}

static int measure_all(const settings *wanted)
{
    session s = {.settings = wanted};
    int status;

    if (wanted->counts && !bench_counts_read(&s.counts, wanted->counts))
        return EXIT_USAGE;
    if (wanted->json_path) {
        s.json = fopen(wanted->json_path, "we");
        if (!s.json) {
            fprintf(stderr, "rsq-bench: %s: %s\n", wanted->json_path, strerror(errno));
            return EXIT_USAGE;
        }
    }
    catch_signals();
    if (!bench_place_open(&s.place, wanted->dir)) {
        close_outputs(&s);
        return EXIT_USAGE;
    }
    status = run_session(&s);
    if (!bench_place_close(&s.place) && status == EXIT_SUCCESS)
        status = EXIT_MISSED;
    if (!close_outputs(&s) && status == EXIT_SUCCESS)
        status = EXIT_MISSED;
    return status;
}

typedef struct one_run {
    const settings *settings;
    bench_place place;
    uint64_t ops;
    bool ok;
} one_run;

static bool run_case_once(const bench_case *c, void *ctx)
{
    one_run *o = ctx;
    size_t peer = bench_peer_index(c, o->settings->peer);

    o->ok = peer < BENCH_PEERS_MAX && c->peers[peer].name;
    if (!o->ok)
        fprintf(stderr, "rsq-bench: %s/%s has no peer %s\n", c->workload, c->name, o->settings->peer);
    o->ok = o->ok && bench_run_once(c, peer, &o->place, o->ops);
    return o->ok;
}

static int run_once(const settings *wanted)
{
    one_run o = {.settings = wanted, .ops = 1};
    char *end = NULL;
    size_t cases;

    if (!wanted->peer)
        return usage_error("needs --peer", "once");
    if (wanted->ops) {
        o.ops = strtoull(wanted->ops, &end, 10);
        if (*end != '\0' || o.ops == 0)
            return usage_error("not a number of operations", wanted->ops);
    }
    if (!bench_place_open(&o.place, wanted->dir))
        return EXIT_USAGE;
    cases = for_each_case(wanted, run_case_once, &o);
    if (!bench_place_close(&o.place))
        o.ok = false;
    if (cases == 0)
        return usage_error("no case matches", wanted->filter ? wanted->filter : "once");
    return o.ok ? EXIT_SUCCESS : EXIT_MISSED;
}

int main(int argc, char **argv)
{
    settings s = {.command = COMMAND_RUN, .effort = &effort_quick};
    const settings everything = {.command = COMMAND_RUN};
    bool tables_ok = true;
    int status = parse(&s, argc, argv);

    if (status >= 0)
        return status;
    for_each_case(&everything, check_case, &tables_ok);
    if (!tables_ok)
        return EXIT_MISSED;
    if (s.command == COMMAND_LIST)
        return for_each_case(&s, list_case, NULL) > 0 ? EXIT_SUCCESS
                                                      : usage_error("no case matches", s.filter);
    if (s.command == COMMAND_ONCE)
        return run_once(&s);
    return measure_all(&s);
}
