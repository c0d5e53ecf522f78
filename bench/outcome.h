/* What came out of measuring a case: in one pass, or in several of them together. */
#ifndef BENCH_OUTCOME_H
#define BENCH_OUTCOME_H

#include "bench.h"
#include "memory.h"
#include "stats.h"
#include "store.h"

/* Meaningful when the case was measured; one that is all zero is empty. */
typedef struct bench_outcome {
    const bench_case *of;
    size_t peers;
    size_t n;                         /* samples of each peer */
    uint64_t loops;                   /* operations in a sample, the same for all peers; of the last pass */
    double *samples[BENCH_PEERS_MAX]; /* in the case's unit, mostly microseconds per operation; owned */
    double *scratch;                  /* for 2 × n numbers; owned */

    bench_figures figures[BENCH_PEERS_MAX]; /* of all samples */
    double detectable[BENCH_PEERS_MAX];     /* smallest detectable effect, as a share of the median */
    bench_row passes[BENCH_PEERS_MAX];      /* medians of the passes */
    bench_row memory[BENCH_PEERS_MAX][BENCH_MEMORIES];
} bench_outcome;

/* Room for `samples` of each of `peers`. False: no memory. */
bool bench_outcome_init(bench_outcome *o, const bench_case *of, size_t peers, size_t samples);
void bench_outcome_fini(bench_outcome *o);

/* The samples of a pass are there: count it, and take the figures. */
void bench_outcome_close_pass(bench_outcome *o);

/* Put the samples of one pass to those of others. False: no memory, and nothing was added. */
bool bench_outcome_add(bench_outcome *all, const bench_outcome *pass);

/* The figures of a pass; what is not known (NAN) is left out. */
void bench_outcome_add_memory(bench_outcome *o, size_t peer, const bench_memory *memory);

/* Index of a peer by its name. Every name in the tables is checked at start, so there is one. */
size_t bench_peer_index(const bench_case *of, const char *name);

/* The peer that the ratio of peer `i` is to. */
size_t bench_peer_reference(const bench_case *of, size_t i);

bench_ratio bench_outcome_ratio(const bench_outcome *o, size_t peer, size_t to);

/* What a goal of the case limits, as measured; `ratio` is the figure, whatever its kind. */
bench_ratio bench_outcome_goal(const bench_outcome *o, const bench_goal *g);

/* Is a peer's spread so wide that its figures deserve no trust? */
bool bench_outcome_noisy(const bench_outcome *o, size_t peer);

#endif
