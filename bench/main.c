/*
 * rsq-bench: measures the library against the C loop over SQLite that it stands
 * in for. This file is its list of commands; the method is in measure.c, what there
 * is to measure in cases.c. A new command is a line of `commands` and of `help`.
 */
#include <stdarg.h>
#include <string.h>

#include "audit.h"
#include "bench.h"
#include "cases.h"
#include "fresh.h"
#include "options.h"
#include "page.h"
#include "session.h"
#include "tables.h"

static const char help[] =
    "usage: rsq-bench [COMMAND] [OPTION]...\n"
    "\n"
    "Measure resqlite against a C loop over the same SQLite, in one run.\n"
    "\n"
    "commands:\n"
    "  run [LABEL]  measure and print a table; without a command: run --quick. With a label: five passes,\n"
    "               memory as well, and DATE-LABEL.json and .md among the results\n"
    "  goals        measure the cases that have goals, print each goal and whether it is met\n"
    "  open         goals of opening a database\n"
    "  experiment [NAME]\n"
    "               measure the cases of experiments/ whose names begin so; they are not part of a run\n"
    "  compare A B  set the results in file B against those in A\n"
    "  report FILE...\n"
    "               write a page with tables and charts of these results to standard output\n"
    "  list         print the cases with their peers and goals, measure nothing\n"
    "  once         run --ops operations of the peer --peer, twice, and measure nothing: for tools that\n"
    "               count instructions (bench/instructions.py)\n"
    "  ladder       what it costs to have work done by another thread, way by way: plain call, hand-offs,\n"
    "               a thread for each query, pools; --filter chooses lines, e.g. 'look-up/*'\n"
    "  seeds        the figures that this library began with, and what they are here; exit status 1 if one "
    "is\n"
    "               not measured; --filter chooses lines, e.g. '000/*'\n"
    "  audit writer, audit reader\n"
    "               where the time of a burst of writes, or of a point query, goes inside the library, by "
    "its\n"
    "               own counters; exit status 1 also if a caller was parked for a reader, if more than 10 %\n"
    "               is unexplained, or if another number of live queries was concerned than must be\n"
    "\n"
    "options:\n"
    "  --filter GLOB  only cases whose WORKLOAD/CASE matches, e.g. 'rows/*'\n"
    "  --area AREA    goals: only those of foundation, reads, writes or streams\n"
    "  --slow         run, list: also a working set larger than caches, which takes 2 GB of disk for a "
    "minute\n"
    "  --all          run, list: the same, and the cases with other libraries, which need what make "
    "bench-peers\n"
    "                 installs\n"
    "  --repeat N     run, goals: so many whole passes over all cases, at most 32\n"
    "  --compare-to FILE\n"
    "                 run: set the results against earlier ones: those of a label, or of --json\n"
    "  --gate         run, compare: exit status 1 for a regression, noisy or stable, or a case that is gone\n"
    "  --results DIR  where results are kept (default: bench/results of the source)\n"
    "  --stored FILE  goals: the results that no goal may be worse than\n"
    "                 (default: the newest *-canonical.json among the results)\n"
    "  --peer NAME    once: the peer\n"
    "  --ops N        once: how many operations (default: 1)\n"
    "  --memory       once: a fixed number of operations; print what they took: KiB the process grew by,\n"
    "                 KiB of heap, allocations an operation, KiB of log\n"
    "  --instructions FILE\n"
    "                 goals: judge goals within 10 % of 1.00 by these instruction counts, where it has them\n"
    "  --quick        short blocks and few of them: enough to see that all is well, not to judge by\n"
    "  --json FILE    run, goals, open: also write JSON lines to FILE\n"
    "  --dir DIR      where the databases are made, in a directory that is removed afterwards\n"
    "                 (default: TMPDIR, or /tmp); its file system matters for writes\n"
    "  --help         this text\n"
    "\n"
    "exit status: 0 all well; 1 a goal is missed or worse than stored, a gate was hit, or a case or the\n"
    "             output failed; 2 wrong usage, or a file that cannot be used; 130 interrupted\n"
    "\n"
    "example: rsq-bench run before --filter 'rows/*'\n"
    "         rsq-bench run after --filter 'rows/*' --compare-to bench/results/2026-01-31-before.json\n";

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

static void list_goal(const bench_case *c, const bench_goal *g)
{
    if (g->kind == BENCH_GOAL_VALUE)
        printf("  goal:  %s <= %.2f %s (%s)\n", g->peer, g->max, c->unit, g->area);
    else if (g->kind == BENCH_GOAL_EXCESS)
        printf("  goal:  %s - %s <= %.2f %s (%s)\n", g->peer, g->to, g->max, c->unit, g->area);
    else
        printf("  goal:  %s / %s <= %.2f (%s)\n", g->peer, g->to, g->max, g->area);
}

static bool list_case(const bench_case *c, void *ctx)
{
    (void)ctx;
    printf("%s/%s (%s)\n  peers:", c->workload, c->name, c->unit);
    for (size_t i = 0; i < BENCH_PEERS_MAX && c->peers[i].name; i++)
        printf(" %s", c->peers[i].name);
    printf("\n");
    for (size_t i = 0; i < BENCH_GOALS_MAX && c->goals[i].area; i++)
        list_goal(c, &c->goals[i]);
    return true;
}

static int list(const bench_options *o)
{
    const bench_choice choice = {.filter = o->filter, .area = o->area, .all = o->all, .slow = o->slow};

    if (bench_cases_each(&choice, list_case, NULL) > 0)
        return BENCH_EXIT_OK;
    return bench_usage_error("no case matches", o->filter ? o->filter : o->area);
}

static const bench_command commands[] = {
    {"run", bench_run, 0, 1, ""},
    {"experiment", bench_experiment, 0, 1, ""},
    {"goals", bench_goals, 0, 0, ""},
    {"open", bench_open, 0, 0, ""},
    {"compare", bench_compare_stored, 2, 2, "needs two files"},
    {"report", bench_report, 1, BENCH_WORDS_MAX, "needs results"},
    {"list", list, 0, 0, ""},
    {"once", bench_once, 0, 0, ""},
    {"ladder", bench_ladder, 0, 0, ""},
    {"seeds", bench_seeds, 0, 0, ""},
    {"audit", bench_audit, 1, 1, "needs writer or reader"},
    /* For the program itself, which starts itself; not in the help. */
    {"fresh", bench_fresh, 3, 3, "needs a job, a peer and a file"},
};

static const bench_command *find_command(const char *name)
{
    for (size_t i = 0; i < BENCH_LENGTH(commands); i++) {
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    bench_options o = {.results = BENCH_RESULTS};
    const bench_command *command = &commands[0];
    int options = 1;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return BENCH_EXIT_OK;
        }
    }
    if (argc > 1 && argv[1][0] != '-') {
        command = find_command(argv[1]);
        if (!command)
            return bench_usage_error("no such command", argv[1]);
        options = 2;
    } else {
        o.effort = &bench_effort_quick;
    }
    if (!bench_options_parse(&o, argc - options, argv + options) || !bench_options_fit(&o, command))
        return BENCH_EXIT_USAGE;
    return bench_cases_check() ? command->run(&o) : BENCH_EXIT_MISSED;
}
