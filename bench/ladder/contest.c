/* Ways that take turns; see contest.h. */
#include "ladder/contest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cores.h"
#include "crew.h"

/* One turn of one contestant. */
typedef struct turn {
    const contestant *of;
    unsigned callers;
    unsigned calls;
    uint64_t first;
    double *us;             /* borrowed: a place for each call */
    double *phases[PHASES]; /* borrowed; NULL: not asked for */
    double sums[CONTEST_MAX];
    bool ok[CONTEST_MAX];
} turn;

static bool one_call(turn *t, unsigned caller, unsigned i, double *sum)
{
    int64_t phases[PHASES] = {0};
    int64_t started = bench_now_ns();
    bool ok = t->of->call(t->of->state, caller, t->first + i, t->phases[0] ? phases : NULL, sum);

    t->us[i] = (double)(bench_now_ns() - started) / 1000.0;
    for (int p = 0; p < PHASES && t->phases[0]; p++)
        t->phases[p][i] = (double)phases[p] / 1000.0;
    return ok;
}

/* The calls of one caller: every `callers`-th. */
static void take_share(void *ctx, unsigned caller)
{
    turn *t = ctx;
    double sum = 0;
    bool ok = true;

    if (t->of->unbound)
        bench_core_leave();
    else
        bench_core_take(caller);
    for (unsigned i = caller; i < t->calls && ok; i += t->callers)
        ok = one_call(t, caller, i, &sum);
    bench_core_leave();
    t->sums[caller] = sum;
    t->ok[caller] = ok;
}

static bool take_turn(turn *t, bench_crew *crew, double *wall_ms, double *sum)
{
    int64_t started = bench_now_ns();
    bool ok = true;

    *sum = 0;
    if (t->of->round) {
        ok = t->of->round(t->of->state, t->first, t->calls, t->us, sum);
        *wall_ms = 0;
        for (unsigned i = 0; i < t->calls; i++)
            *wall_ms += t->us[i] / 1000.0;
        return ok;
    }
    if (crew)
        bench_crew_run(crew, take_share, t);
    else
        take_share(t, 0);
    *wall_ms = (double)(bench_now_ns() - started) / 1e6;
    for (unsigned i = 0; i < t->callers; i++) {
        *sum += t->sums[i];
        ok = ok && t->ok[i];
    }
    return ok;
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Of `n` sorted numbers: the smallest that is not below the share `q` of them. */
static double quantile(const double *sorted, size_t n, double q)
{
    size_t rank = (size_t)ceil(q * (double)n);

    return sorted[rank > 0 ? rank - 1 : 0];
}

static contest_times times_of(const double *us, size_t n, double *scratch)
{
    contest_times t;

    memcpy(scratch, us, n * sizeof *us);
    qsort(scratch, n, sizeof *scratch, ascending);
    t.min = scratch[0];
    t.median = quantile(scratch, n, 0.5);
    t.p90 = quantile(scratch, n, 0.9);
    t.p95 = quantile(scratch, n, 0.95);
    t.p99 = quantile(scratch, n, 0.99);
    for (size_t i = 0; i < n; i++)
        scratch[i] = fabs(us[i] - t.median);
    qsort(scratch, n, sizeof *scratch, ascending);
    t.mad = quantile(scratch, n, 0.5);
    return t;
}

/* What is kept of a contestant until the end. */
typedef struct record {
    double *us;             /* owned by the figures */
    double *phases[PHASES]; /* owned */
    double *walls;          /* owned */
} record;

typedef struct recorder {
    record of[CONTEST_MAX];
    double *scratch;  /* owned */
    bench_crew *crew; /* owned; NULL: one caller */
} recorder;

static void recorder_fini(recorder *r)
{
    for (size_t i = 0; i < CONTEST_MAX; i++) {
        for (int p = 0; p < PHASES; p++)
            free(r->of[i].phases[p]);
        free(r->of[i].walls);
    }
    free(r->scratch);
    bench_crew_free(r->crew);
}

static bool recorder_init(recorder *r, contest *c)
{
    size_t n = (size_t)c->rounds * c->calls;
    bool ok = true;

    for (size_t i = 0; i < c->count; i++) {
        record *x = &r->of[i];

        x->us = c->figures[i].us = malloc(n * sizeof(double));
        x->walls = malloc(c->rounds * sizeof(double));
        ok = ok && x->us && x->walls;
        for (int p = 0; p < PHASES; p++) {
            x->phases[p] = malloc(n * sizeof(double));
            ok = ok && x->phases[p];
        }
    }
    r->scratch = malloc(n * sizeof(double));
    if (c->callers > 1)
        r->crew = bench_crew_new(c->callers);
    return ok && r->scratch && (c->callers == 1 || r->crew);
}

/* Every contestant once, into the records of this round; `phased`: those that know phases, with them. */
static bool take_round(contest *c, recorder *r, unsigned round, uint64_t first, bool phased, const char *name)
{
    double expected = 0;
    const char *by = NULL; /* who found it */

    for (size_t i = 0; i < c->count; i++) {
        record *x = &r->of[i];
        size_t at = (size_t)round * c->calls;
        turn t = {
            .of = &c->of[i], .callers = c->callers, .calls = c->calls, .first = first, .us = &x->us[at]};
        double sum;
        bool ok;

        if (phased && !c->of[i].phased)
            continue;
        if (phased) {
            t.us = r->scratch;
            for (int p = 0; p < PHASES; p++)
                t.phases[p] = &x->phases[p][at];
        }
        ok = (!c->of[i].prepare || c->of[i].prepare(c->of[i].state)) &&
             take_turn(&t, r->crew, phased ? &(double){0} : &x->walls[round], &sum);
        if (!ok) {
            fprintf(stderr, "rsq-bench: ladder/%s %s: failed\n", name, c->of[i].name);
            return false;
        }
        if (by && sum != expected) {
            fprintf(stderr, "rsq-bench: ladder/%s %s: visited other values than %s\n", name, c->of[i].name,
                    by);
            return false;
        }
        expected = sum;
        by = c->of[i].name;
    }
    return true;
}

static void summarise(contest *c, recorder *r)
{
    size_t n = (size_t)c->rounds * c->calls;

    for (size_t i = 0; i < c->count; i++) {
        contest_figures *f = &c->figures[i];

        f->n = n;
        f->call = times_of(f->us, n, r->scratch);
        qsort(r->of[i].walls, c->rounds, sizeof(double), ascending);
        f->total_ms = quantile(r->of[i].walls, c->rounds, 0.5);
        for (int p = 0; p < PHASES && c->of[i].phased; p++)
            f->phases[p] = times_of(r->of[i].phases[p], n, r->scratch);
    }
}

bool contest_run(contest *c, const char *name)
{
    recorder r = {0};
    uint64_t first = 0;
    bool ok = recorder_init(&r, c);

    if (!ok)
        fprintf(stderr, "rsq-bench: ladder/%s: no memory or no thread\n", name);
    ok = ok && take_round(c, &r, 0, first, false, name);
    for (unsigned round = 0; ok && round < c->rounds; round++) {
        first += c->calls;
        ok = take_round(c, &r, round, first, false, name);
        first += c->calls;
        ok = ok && take_round(c, &r, round, first, true, name);
    }
    if (ok)
        summarise(c, &r);
    recorder_fini(&r);
    return ok;
}

void contest_fini(contest *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->figures[i].us);
}
