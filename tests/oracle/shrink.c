/*
 * Left out are: the commits after the failure, all streams but the one that
 * failed, then statements, first half of them at once, at last one by one, as
 * long as what remains still fails.
 */
#include "shrink.h"

#include <stdlib.h>

/* A failure that needs luck is given that many chances. */
#define TRIES_MAX 12

/* With so few statements a failure is small enough. */
#define SMALL 6

typedef struct shrinker {
    plan *plan;
    run_options options;
    size_t ncommits;
    unsigned tries;
} shrinker;

static bool fails(shrinker *s, size_t ncommits)
{
    tally ignored = {0};

    for (unsigned i = 0; i < s->tries; i++) {
        failure f = run_plan(s->plan, ncommits, &s->options, &ignored);

        if (!f.failed)
            continue;
        if (f.commit + 1 < ncommits)
            s->ncommits = f.commit + 1;
        return true;
    }
    return false;
}

/* What differs from a twin needs it, and one that was run with its group may need that. */
static bool belongs_to(const plan *p, size_t i, size_t kept, bool group)
{
    const query *q = &p->queries[kept];

    return i == kept || i + 1 == q->twin || (group && q->group && p->queries[i].group == q->group);
}

static void drop_other_streams(shrinker *s, size_t kept)
{
    plan *p = s->plan;
    bool few = false;

    for (int group = 0; group < 2 && kept < p->nqueries && !few; group++) {
        for (size_t i = 0; i < p->nqueries; i++)
            p->queries[i].dropped = !belongs_to(p, i, kept, group);
        few = fails(s, s->ncommits);
    }
    for (size_t i = 0; i < p->nqueries && !few; i++)
        p->queries[i].dropped = false;
    for (size_t i = 0; i < p->nqueries; i++) {
        if (p->queries[i].dropped)
            continue;
        p->queries[i].dropped = true;
        if (!fails(s, s->ncommits))
            p->queries[i].dropped = false;
    }
}

/* Nothing is met at the gate, unless the failure is about that. */
static void meet_nothing(shrinker *s)
{
    plan *p = s->plan;
    bool *before = malloc(p->ncommits * sizeof *before);

    if (!before)
        return;
    for (size_t i = 0; i < p->ncommits; i++) {
        before[i] = p->commits[i].meets_run;
        p->commits[i].meets_run = false;
    }
    if (!fails(s, s->ncommits)) {
        for (size_t i = 0; i < p->ncommits; i++)
            p->commits[i].meets_run = before[i];
    }
    free(before);
}

/* The steps that are left, in order. Returns how many. */
static size_t list_steps(const shrinker *s, size_t *list)
{
    const plan *p = s->plan;
    size_t n = 0;

    for (size_t i = 0; i < s->ncommits; i++) {
        const commit *c = &p->commits[i];

        for (size_t at = c->first; at < c->first + c->count; at++) {
            if (!p->steps[at].dropped)
                list[n++] = at;
        }
    }
    return n;
}

static void set_dropped(plan *p, const size_t *list, size_t n, bool dropped)
{
    for (size_t i = 0; i < n; i++)
        p->steps[list[i]].dropped = dropped;
}

/* Try without each run of `size` steps. True: something could be left out. */
static bool drop_runs(shrinker *s, size_t *list, size_t size)
{
    size_t n = list_steps(s, list);
    bool any = false;

    for (size_t end = n; end > 0;) {
        size_t start = end > size ? end - size : 0;

        set_dropped(s->plan, list + start, end - start, true);
        if (fails(s, s->ncommits))
            any = true;
        else
            set_dropped(s->plan, list + start, end - start, false);
        end = start;
    }
    return any;
}

/* Moves and ends of streams. */
static void drop_moves(shrinker *s)
{
    for (size_t i = s->ncommits; i-- > 0;) {
        commit *c = &s->plan->commits[i];

        if ((c->kind != COMMIT_MOVE && c->kind != COMMIT_CLOSE) || c->dropped || i >= s->ncommits)
            continue;
        c->dropped = true;
        if (!fails(s, s->ncommits))
            c->dropped = false;
    }
}

/* So few, and any two of them are tried together. */
#define PAIRS_MAX 40

/* What one statement needs and another one makes is only left out with it. True: something could be. */
static bool drop_pairs(shrinker *s, size_t *list)
{
    size_t n = list_steps(s, list);

    for (size_t i = n; n <= PAIRS_MAX && i-- > 1;) {
        for (size_t j = i; j-- > 0;) {
            s->plan->steps[list[i]].dropped = s->plan->steps[list[j]].dropped = true;
            if (fails(s, s->ncommits))
                return true;
            s->plan->steps[list[i]].dropped = s->plan->steps[list[j]].dropped = false;
        }
    }
    return false;
}

static void drop_steps(shrinker *s)
{
    size_t *list = malloc((s->plan->nsteps + 1) * sizeof *list);
    size_t size = s->plan->nsteps / 2;

    if (!list)
        return;
    for (; size > 1; size /= 2)
        (void)drop_runs(s, list, size);
    do {
        while (drop_runs(s, list, 1))
            ;
    } while (plan_count(s->plan, s->ncommits) > SMALL && drop_pairs(s, list));
    free(list);
}

/* Does it fail each time? */
static bool is_sure(shrinker *s)
{
    unsigned failed = 0;

    s->tries = 1;
    for (int i = 0; i < 6; i++)
        failed += fails(s, s->ncommits);
    return failed == 6;
}

/* Best without luck; else each plan has several chances. */
static void calm(shrinker *s)
{
    bool steady = s->plan->steady;

    s->plan->steady = true;
    if (is_sure(s))
        return;
    s->plan->steady = steady;
    if (!is_sure(s))
        s->tries = TRIES_MAX;
}

size_t shrink_plan(plan *p, const failure *f, const run_options *options)
{
    shrinker s = {.plan = p, .options = *options, .ncommits = f->commit + 1};

    s.options.report = NULL;
    calm(&s);
    drop_other_streams(&s, f->query);
    drop_moves(&s);
    meet_nothing(&s);
    drop_steps(&s);
    return s.ncommits;
}
