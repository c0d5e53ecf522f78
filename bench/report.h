/* Writing down what was measured: a table for people, JSON lines for programs, a verdict on goals. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "counts.h"
#include "measure.h"
#include "store.h"

void bench_report_table_head(FILE *out);
void bench_report_table(const bench_outcome *o, FILE *out);

/* One peer as a JSON object, without a line's end; see docs/benchmarks.md for the fields. */
void bench_report_json(const bench_outcome *o, size_t peer, FILE *out);

/* How goals came out. */
typedef struct bench_tally {
    unsigned met;
    unsigned missed; /* unmeasured ones included */
    unsigned worse;  /* than stored, whether met or not */
} bench_tally;

/* What goals are judged by besides the clock. */
typedef struct bench_judges {
    const char *area;           /* NULL: goals of all areas */
    const bench_counts *counts; /* instructions; may be empty */
    const bench_set *stored;    /* an earlier run on this machine; NULL: none */
} bench_judges;

void bench_report_goals_head(FILE *out);

/* A line for each goal of the case. `o`: NULL when it could not be measured. */
void bench_report_goals(const bench_case *of, const bench_outcome *o, const bench_judges *by,
                        bench_tally *tally, FILE *out);

#endif
