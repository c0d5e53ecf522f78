/* What came out of a case; see outcome.h. */
#include "outcome.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOISY_MAD 0.15

size_t bench_peer_index(const bench_case *of, const char *name)
{
    size_t i = 0;

    while (i < BENCH_PEERS_MAX && of->peers[i].name && strcmp(of->peers[i].name, name) != 0)
        i++;
    return i;
}

size_t bench_peer_reference(const bench_case *of, size_t i)
{
    return of->peers[i].to ? bench_peer_index(of, of->peers[i].to) : 0;
}

bool bench_outcome_init(bench_outcome *o, const bench_case *of, size_t peers, size_t samples)
{
    memset(o, 0, sizeof *o);
    o->of = of;
    o->peers = peers;
    o->scratch = malloc(2 * samples * sizeof(double));
    for (size_t i = 0; i < peers && o->scratch; i++) {
        o->samples[i] = malloc(samples * sizeof(double));
        if (!o->samples[i])
            break;
    }
    if (o->scratch && o->samples[peers - 1])
        return true;
    bench_outcome_fini(o);
    return false;
}

void bench_outcome_fini(bench_outcome *o)
{
    for (size_t i = 0; i < BENCH_PEERS_MAX; i++)
        free(o->samples[i]);
    free(o->scratch);
    memset(o, 0, sizeof *o);
}

/*
 * Between passes the machine is in another mood, and that is what a later run
 * differs by as well; so the passes tell what can be detected, once there are
 * enough of them. The samples of one pass tell less: only what varied in seconds.
 */
static double detectable(const bench_outcome *o, size_t peer)
{
    double scratch[BENCH_PASSES_MAX];
    const bench_row *passes = &o->passes[peer];

    if (passes->n >= BENCH_PASSES_STABLE)
        return bench_detectable(passes->values, passes->n, scratch);
    return bench_detectable(o->samples[peer], o->n, o->scratch);
}

static void take_figures(bench_outcome *o)
{
    for (size_t i = 0; i < o->peers; i++) {
        o->figures[i] = bench_figures_of(o->samples[i], o->n, o->scratch);
        o->detectable[i] = detectable(o, i);
    }
}

static void row_add(bench_row *row, double value)
{
    if (row->n < BENCH_PASSES_MAX && !isnan(value))
        row->values[row->n++] = value;
}

void bench_outcome_close_pass(bench_outcome *o)
{
    take_figures(o);
    for (size_t i = 0; i < o->peers; i++)
        row_add(&o->passes[i], o->figures[i].median);
    take_figures(o); /* again, since a pass more may tell what can be detected */
}

bool bench_outcome_add(bench_outcome *all, const bench_outcome *pass)
{
    bench_outcome sum;

    if (!bench_outcome_init(&sum, pass->of, pass->peers, all->n + pass->n))
        return false;
    for (size_t i = 0; i < pass->peers; i++) {
        if (all->n > 0)
            memcpy(sum.samples[i], all->samples[i], all->n * sizeof(double));
        memcpy(sum.samples[i] + all->n, pass->samples[i], pass->n * sizeof(double));
        sum.passes[i] = all->passes[i];
        row_add(&sum.passes[i], pass->figures[i].median);
        memcpy(sum.memory[i], all->memory[i], sizeof sum.memory[i]);
    }
    sum.n = all->n + pass->n;
    sum.loops = pass->loops;
    take_figures(&sum);
    bench_outcome_fini(all);
    *all = sum;
    return true;
}

void bench_outcome_add_memory(bench_outcome *o, size_t peer, const bench_memory *memory)
{
    for (size_t i = 0; i < BENCH_MEMORIES; i++)
        row_add(&o->memory[peer][i], memory->figures[i]);
}

bench_ratio bench_outcome_ratio(const bench_outcome *o, size_t peer, size_t to)
{
    return bench_ratio_of(o->samples[peer], o->samples[to], o->n, o->scratch);
}

bench_ratio bench_outcome_goal(const bench_outcome *o, const bench_goal *g)
{
    size_t peer = bench_peer_index(o->of, g->peer);
    size_t to = bench_peer_index(o->of, g->to);

    switch (g->kind) {
    case BENCH_GOAL_EXCESS:
        return bench_excess_of(o->samples[peer], o->samples[to], o->n, o->scratch);
    case BENCH_GOAL_VALUE:
        return bench_excess_of(o->samples[peer], NULL, o->n, o->scratch);
    case BENCH_GOAL_RATIO:
    default:
        return bench_outcome_ratio(o, peer, to);
    }
}

bool bench_outcome_noisy(const bench_outcome *o, size_t peer)
{
    return o->figures[peer].mad > NOISY_MAD * o->figures[peer].median;
}
