/* Measuring one case: all its peers, in turn, in one process. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench.h"
#include "outcome.h"
#include "place.h"

/* How long to measure. */
typedef struct bench_effort {
    size_t samples_min; /* for each peer */
    double seconds;     /* for each peer, on average */
    unsigned shorten;   /* blocks last so many times less than their case says */
} bench_effort;

typedef enum bench_end {
    BENCH_MEASURED,
    BENCH_FAILED,     /* said why on standard error */
    BENCH_INTERRUPTED /* bench_interrupt() was called */
} bench_end;

/* One pass. The outcome is to be ended by bench_outcome_fini() in any case. */
bench_end bench_measure(const bench_case *of, const bench_place *place, const bench_effort *effort,
                        bench_outcome *out);

/*
 * For tools that count instructions: run `count` operations of one peer to warm up, then as many inside the
 * function bench_counted_block(). Nothing is timed. False: said why on standard error.
 */
bool bench_run_once(const bench_case *of, size_t peer, const bench_place *place, uint64_t count);

/* Make the measurement that runs end soon, cleaning up. Thread: any, signal handlers included. */
void bench_interrupt(void);

#endif
