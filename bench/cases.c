/*
 * The tables of cases; see cases.h. A new area is a line of `areas`, or of `named`
 * if it is not part of a run and there for who asks for it: `--filter 'WORKLOAD/…'`.
 */
#include "cases.h"

#include <fnmatch.h>
#include <string.h>

#include "measure.h"

static const bench_area *const areas[] = {
    &bench_area_reads,      &bench_area_async, &bench_area_writes, &bench_area_open,    &bench_area_queries,
    &bench_area_concurrent, &bench_area_fresh, &bench_area_parts,  &bench_area_streams, &bench_area_apps,
};

/* Ends with NULL. */
static const bench_area *const named[] = {
    &bench_area_experiments,
    &bench_area_peers,
    &bench_area_large,
    NULL,
};

void bench_case_name(const bench_case *c, char name[BENCH_NAME_MAX])
{
    snprintf(name, BENCH_NAME_MAX, "%s/%s", c->workload, c->name);
}

bool bench_goal_in(const bench_goal *g, const char *area)
{
    return g->area && (!area || strcmp(g->area, area) == 0);
}

static bool has_goal(const bench_case *c, const char *area)
{
    for (size_t i = 0; i < BENCH_GOALS_MAX && c->goals[i].area; i++) {
        if (bench_goal_in(&c->goals[i], area))
            return true;
    }
    return false;
}

/* Does a filter or a choice of workload speak of this workload by its name? */
static bool is_named(const bench_choice *choice, const char *workload)
{
    size_t len = strlen(workload);

    if (choice->workload && strcmp(choice->workload, workload) == 0)
        return true;
    return choice->filter && strncmp(choice->filter, workload, len) == 0 && choice->filter[len] == '/';
}

static bool is_wanted(const bench_choice *choice, const bench_case *c)
{
    char name[BENCH_NAME_MAX];

    if (choice->workload && strcmp(c->workload, choice->workload) != 0)
        return false;
    if ((choice->with_goals || choice->area) && !has_goal(c, choice->area))
        return false;
    bench_case_name(c, name);
    return !choice->filter || fnmatch(choice->filter, name, 0) == 0;
}

/* Adds the calls to `*n`; false: `each` ended it. */
static bool each_of(const bench_area *area, const bench_choice *choice, bool by_name, bench_case_fn each,
                    void *ctx, size_t *n)
{
    for (size_t i = 0; i < area->count; i++) {
        const bench_case *c = &area->cases[i];

        if (!is_wanted(choice, c) || (by_name && !is_named(choice, c->workload)))
            continue;
        ++*n;
        if (area == &bench_area_peers)
            bench_peers_look();
        if (!each(c, ctx))
            return false;
    }
    return true;
}

size_t bench_cases_each(const bench_choice *choice, bench_case_fn each, void *ctx)
{
    bool going = true;
    size_t n = 0;

    for (size_t i = 0; i < BENCH_LENGTH(areas) && going; i++)
        going = each_of(areas[i], choice, false, each, ctx, &n);
    for (size_t i = 0; named[i] && going; i++) {
        bool asked = choice->all || (choice->slow && named[i] == &bench_area_large);
        bool by_name = !asked || named[i] == &bench_area_experiments;

        going = each_of(named[i], choice, by_name, each, ctx, &n);
    }
    return n;
}

bool bench_cases_named(const bench_choice *choice, const char *workload, const char *name)
{
    char full[BENCH_NAME_MAX];

    snprintf(full, sizeof full, "%s/%s", workload, name);
    return (!choice->workload || strcmp(workload, choice->workload) == 0) &&
           (!choice->filter || fnmatch(choice->filter, full, 0) == 0);
}

static bool has_peer(const bench_case *c, const char *name)
{
    size_t i = bench_peer_index(c, name);

    return i < BENCH_PEERS_MAX && c->peers[i].name;
}

static bool check_case(const bench_case *c)
{
    bool ok = true;

    for (size_t i = 0; i < BENCH_PEERS_MAX && c->peers[i].name; i++)
        ok = ok && (!c->peers[i].to || has_peer(c, c->peers[i].to));
    for (size_t i = 0; i < BENCH_GOALS_MAX && c->goals[i].area; i++)
        ok = ok && has_peer(c, c->goals[i].peer) && has_peer(c, c->goals[i].to);
    if (!ok)
        fprintf(stderr, "rsq-bench: %s/%s: its table names a peer that it does not have\n", c->workload,
                c->name);
    return ok;
}

static bool check_area(const bench_area *area)
{
    bool ok = true;

    for (size_t i = 0; i < area->count; i++)
        ok = check_case(&area->cases[i]) && ok;
    return ok;
}

bool bench_cases_check(void)
{
    bool ok = true;

    for (size_t i = 0; i < BENCH_LENGTH(areas); i++)
        ok = check_area(areas[i]) && ok;
    for (size_t i = 0; named[i]; i++)
        ok = check_area(named[i]) && ok;
    return ok;
}
