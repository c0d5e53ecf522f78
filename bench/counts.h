/*
 * Instruction counts, as bench/instructions.py writes them: one line for each
 * peer, `WORKLOAD/CASE PEER INSTRUCTIONS`, by operation; lines that begin with #
 * are comments. They repeat exactly where times do not, so they judge what is too
 * near for a clock.
 */
#ifndef BENCH_COUNTS_H
#define BENCH_COUNTS_H

#include "bench.h"

#define BENCH_COUNTS_MAX 128
#define BENCH_COUNTS_NAME 64

typedef struct bench_count {
    char name[BENCH_COUNTS_NAME]; /* of the case, with its workload */
    char peer[BENCH_COUNTS_NAME];
    double instructions; /* of one operation */
} bench_count;

/* All-zero is an empty one. */
typedef struct bench_counts {
    bench_count entries[BENCH_COUNTS_MAX];
    size_t n;
} bench_counts;

/* False: said why on standard error. */
bool bench_counts_read(bench_counts *c, const char *path);

/*
 * The ratio that a goal limits, in instructions; 0 if the goal is not to be judged
 * by them: it is not a ratio within 10 % of one, or they were not counted.
 */
double bench_counts_ratio(const bench_counts *c, const bench_case *of, const bench_goal *g);

#endif
