/* One run against another: a verdict for each figure, and the totals. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

#include "store.h"

/* What came out, of the library's own peers; the others only tell how alike the circumstances were. */
typedef struct bench_totals {
    unsigned times[BENCH_VERDICTS];
    unsigned memory[BENCH_VERDICTS];
    unsigned missing;      /* in the first run, but not in the second */
    unsigned added;        /* the other way round */
    unsigned controls;     /* figures of peers that are not the library's */
    unsigned controls_off; /* of those, the ones that have changed */
    bool other_machine;
} bench_totals;

/*
 * Print a line for each figure and the totals. `wanted` says which cases of the
 * first run the second should have; NULL: all.
 */
void bench_compare(const bench_set *before, const bench_set *after,
                   bool (*wanted)(const bench_entry *e, const void *ctx), const void *ctx, FILE *out,
                   bench_totals *totals);

/* Is there anything that a gate must stop: a regression, noisy or not, or a case that is gone? */
bool bench_totals_worse(const bench_totals *t);

#endif
