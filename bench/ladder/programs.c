/* Look-ups and inserts by libraries in programs of their own, which time each call themselves; see jobs.h. */
#include <stdio.h>

#include "ladder/jobs.h"
#include "peers/peers.h"
#include "peers/process.h"

/* Their databases come behind those of the ladder itself. */
#define FIRST_DATABASE 8

static bool said(const by_program *p, const char *why)
{
    fprintf(stderr, "rsq-bench: ladder: %s: %s\n", process_name(p->which), why);
    return false;
}

static bool prepare(void *state)
{
    by_program *p = state;

    return process_prepare(p->process) || said(p, process_why(p->process));
}

static bool take_round(void *state, uint64_t first, unsigned calls, double *us, double *sum)
{
    by_program *p = state;
    double total;

    return process_run(p->process, first, calls, &total, sum, us) || said(p, process_why(p->process));
}

bool by_program_open(by_program *p, const bench_place *place, contestant *c)
{
    char path[BENCH_PATH_MAX];
    char why[512] = "";

    bench_place_database(place, FIRST_DATABASE + (size_t)p->which, path);
    p->process = process_start(p->which, peers_plan(p->plan), path, why, sizeof why);
    if (!p->process)
        return said(p, why);
    *c = (contestant){.state = p, .prepare = prepare, .round = take_round};
    snprintf(c->name, sizeof c->name, "%s", process_name(p->which));
    return true;
}

void by_program_close(by_program *p, const bench_place *place)
{
    char path[BENCH_PATH_MAX];

    if (!p->process)
        return;
    process_stop(p->process);
    p->process = NULL;
    bench_place_database(place, FIRST_DATABASE + (size_t)p->which, path);
    bench_place_remove(path);
}
