/* Measuring one case: all its peers, in turn, in one process. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench.h"
#include "place.h"
#include "stats.h"

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

/* What came out of a case; meaningful when it was measured. */
typedef struct bench_outcome {
    const bench_case *of;
    size_t peers;
    size_t n;                         /* samples of each peer */
    uint64_t loops;                   /* operations in a sample, the same for all peers */
    double *samples[BENCH_PEERS_MAX]; /* microseconds per operation; owned */
    bench_figures figures[BENCH_PEERS_MAX];
    double *scratch; /* owned */
} bench_outcome;

bench_end bench_measure(const bench_case *of, const bench_place *place, const bench_effort *effort,
                        bench_outcome *out);

/*
 * For tools that count instructions: run `count` operations of one peer to warm up, then as many inside the
 * function bench_counted_block(). Nothing is timed. False: said why on standard error.
 */
bool bench_run_once(const bench_case *of, size_t peer, const bench_place *place, uint64_t count);

/* An outcome that is all zero is fine. */
void bench_outcome_fini(bench_outcome *o);

/* Index of a peer by its name. Every name in the tables is checked at start, so there is one. */
size_t bench_peer_index(const bench_case *of, const char *name);

bench_ratio bench_outcome_ratio(const bench_outcome *o, size_t peer, size_t to);

/* What a goal of the case limits, as measured; `ratio` is the figure, whatever its kind. */
bench_ratio bench_outcome_goal(const bench_outcome *o, const bench_goal *g);

/* Is a peer's spread so wide that its figures deserve no trust? */
bool bench_outcome_noisy(const bench_outcome *o, size_t peer);

/* Make the measurement that runs end soon, cleaning up. Thread: any, signal handlers included. */
void bench_interrupt(void);

#endif
