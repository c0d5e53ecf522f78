/*
 * The frame of rsq-bench: what a case is, and what its peers must be able to do.
 *
 * A case compares peers that do the same work on databases of equal content: the
 * library, and the C loop over SQLite that a program without the library would
 * contain. The frame opens all peers of a case, proves that they give the same
 * answer, and times them in turn, block by block. A case is one struct in the
 * table of its area's file (reads.c, writes.c, streams.c, open.c); the frame never changes
 * for a new one.
 *
 * The files of this folder see resqlite.h and system headers only. SQLite itself
 * is behind raw/raw.h, so that nothing but the baseline can lean on it.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <resqlite.h>

#define BENCH_PATH_MAX 512
#define BENCH_PEERS_MAX 8
#define BENCH_GOALS_MAX 6

/* Number of elements of an array. */
#define BENCH_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

typedef struct bench_case bench_case;
typedef struct bench_peer bench_peer;

/* Where a peer's state lives: borrowed by it until it is closed. */
typedef struct bench_ctx {
    const bench_case *of;
    const bench_peer *peer;
    char path[BENCH_PATH_MAX]; /* its database file; not there yet, removed by the frame afterwards */
} bench_ctx;

/*
 * A timed block: `count` operations. They are numbered through the whole
 * measurement, `first` being the number of the first one, and all peers get the
 * same numbers; whatever an operation varies (a key, a text) follows from its
 * number.
 */
typedef struct bench_block {
    uint64_t first;
    uint64_t count;
    uint64_t sum;      /* out: sum over every value visited; see checksum.h */
    int64_t paused_ns; /* out: time inside the block that is not the operation's own */
    double figure;     /* out, of ops with `own_figure`: what they measured, summed over the operations */
} bench_block;

/* What a kind of peer does. Each function that returns false has called bench_fail(). */
typedef struct bench_ops {
    const char *answer; /* peers of one case with the same word here must give the same hash */
    bool own_sum;       /* its block sums are over other bytes than those of its fellows (formatted values) */
    bool own_figure;    /* a sample is the block's `figure`, not its time, by operation */
    bool elsewhere;     /* another program does its work, so the memory of this one says nothing */
    void *(*open)(const bench_ctx *at); /* NULL: failed */
    bool (*prepare)(void *state);       /* before each block, not timed; NULL if there is nothing to do */
    bool (*run)(void *state, bench_block *block); /* timed */
    bool (*hash)(void *state, uint64_t *hash);    /* every byte of the answer; not timed */
    void (*close)(void *state);                   /* accepts a half-opened state */
} bench_ops;

struct bench_peer {
    const char *name; /* NULL ends the list */
    const bench_ops *ops;
    uint32_t variant; /* meaning belongs to `ops` */
    const char *to;   /* the peer its ratio is to; NULL: the first of the case */
};

/* What a goal limits. */
typedef enum bench_goal_kind {
    BENCH_GOAL_RATIO = 0, /* the ratio of the medians of `peer` and `to` */
    BENCH_GOAL_EXCESS,    /* the median of `peer` less that of `to`, in the case's unit */
    BENCH_GOAL_VALUE      /* the median of `peer`, in the case's unit; `to` is `peer` again */
} bench_goal_kind;

/* It shall be at most `max`. */
typedef struct bench_goal {
    const char *area; /* what set the goal: foundation, reads, writes, streams; NULL ends the list */
    const char *peer;
    const char *to;
    double max;
    bench_goal_kind kind;
} bench_goal;

#define BENCH_RATIO(area, peer, to, max)      \
    {                                         \
        area, peer, to, max, BENCH_GOAL_RATIO \
    }
#define BENCH_EXCESS(area, peer, to, max)      \
    {                                          \
        area, peer, to, max, BENCH_GOAL_EXCESS \
    }
#define BENCH_VALUE(area, peer, max)            \
    {                                           \
        area, peer, peer, max, BENCH_GOAL_VALUE \
    }

struct bench_case {
    const char *workload;
    const char *name;
    const char *unit;   /* what is measured, "us" mostly, then "/" and what one operation is */
    size_t size;        /* rows of the table or of the batch */
    unsigned sample_ms; /* length of a block; 0: BENCH_SAMPLE_MS */
    bench_peer peers[BENCH_PEERS_MAX];
    bench_goal goals[BENCH_GOALS_MAX];
};

#define BENCH_SAMPLE_MS 4

typedef struct bench_area {
    const bench_case *cases;
    size_t count;
} bench_area;

extern const bench_area bench_area_reads;
extern const bench_area bench_area_async;
extern const bench_area bench_area_writes;
extern const bench_area bench_area_open;
extern const bench_area bench_area_streams;
extern const bench_area bench_area_apps;
extern const bench_area bench_area_large;
extern const bench_area bench_area_experiments;
extern const bench_area bench_area_queries;
extern const bench_area bench_area_concurrent;
extern const bench_area bench_area_fresh;
extern const bench_area bench_area_parts;
extern const bench_area bench_area_peers;

/* Which peers are here that are programs of their own? Those that are not are taken out of their cases; see
 * peers/.
 */
void bench_peers_look(void);

/* A peer that is a program of its own. */
typedef struct bench_program {
    const char *name;
    char version[256]; /* of itself, of SQLite, of what runs it; or why it is missing */
} bench_program;

/* All of them, as bench_peers_look() found them; NULL, and `*n` is 0, if it was not called. */
const bench_program *bench_peers_found(size_t *n);

/* Say on standard error what went wrong with a peer; returns false. Thread: any. */
__attribute__((format(printf, 2, 3))) bool bench_fail(const bench_ctx *at, const char *format, ...);

/* The same for a call of the library: `what` failed with `code`. */
bool bench_fail_code(const bench_ctx *at, const char *what, rsq_code code, const rsq_error *err);

/* Nanoseconds of a clock that nobody adjusts; see clock.c. Thread: any. */
int64_t bench_now_ns(void);

#endif
