/*
 * Several ways to do the same, each call timed. They take turns, round by round,
 * and must give the same sum over all values in every round.
 */
#ifndef BENCH_LADDER_CONTEST_H
#define BENCH_LADDER_CONTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTEST_MAX 24
#define CONTEST_NAME 40

/* What became of the time of a call, in nanoseconds: until the work began, the work, until the answer was
 * there. */
enum { PHASE_REQUEST, PHASE_WORK, PHASE_REPLY, PHASES };

/* One call. `phases`: NULL, or where to put them. `sum`: out. Thread: caller number `caller`. */
typedef bool (*contest_call)(void *state, unsigned caller, uint64_t op, int64_t *phases, double *sum);

/* A round by a program of its own: `us[i]` is the time of the i-th call. */
typedef bool (*contest_round)(void *state, uint64_t first, unsigned calls, double *us, double *sum);

typedef struct contestant {
    char name[CONTEST_NAME];
    void *state;                  /* borrowed */
    bool (*prepare)(void *state); /* before each turn, not timed; NULL: nothing to do */
    contest_call call;            /* NULL: there is a `round` */
    contest_round round;
    bool phased;  /* does `call` know phases? */
    bool unbound; /* its threads run on any core */
} contestant;

/* Of single calls, in microseconds. */
typedef struct contest_times {
    double median, p90, p95, p99, min, mad;
} contest_times;

typedef struct contest_figures {
    size_t n;        /* calls */
    double total_ms; /* of a round: the median of all rounds */
    contest_times call;
    contest_times phases[PHASES]; /* zero if it has none */
    double *us;                   /* owned: of every call, in their order */
} contest_figures;

typedef struct contest {
    unsigned callers;
    unsigned rounds; /* at least 1; one more before them warms up */
    unsigned calls;  /* of all callers together in a round */
    size_t count;
    contestant of[CONTEST_MAX];
    contest_figures figures[CONTEST_MAX];
} contest;

/* False: said why on standard error. `name` is for that. */
bool contest_run(contest *c, const char *name);

void contest_fini(contest *c);

#endif
