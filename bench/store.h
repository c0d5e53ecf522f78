/*
 * Stored results: reading back what `rsq-bench run` has written, the document of a
 * labelled run as well as the JSON lines of --json.
 */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "verdict.h"

#define BENCH_PASSES_MAX 32
#define BENCH_QUANTILES 23

/* What is measured of memory. */
typedef enum bench_memory_kind {
    BENCH_RSS,         /* KiB that the process grew by at most */
    BENCH_HEAP,        /* KiB of heap in use while the peer is open */
    BENCH_ALLOCATIONS, /* of one operation, in all threads */
    BENCH_WAL,         /* KiB of log that the operations left */
    BENCH_MEMORIES
} bench_memory_kind;

typedef struct bench_memory_name {
    const char *key;  /* in JSON */
    const char *text; /* for people */
    double floor;     /* a change of at most so much is none */
} bench_memory_name;

extern const bench_memory_name bench_memory_names[BENCH_MEMORIES];

/* One value for each pass. */
typedef struct bench_row {
    double values[BENCH_PASSES_MAX];
    size_t n; /* 0: not measured */
} bench_row;

typedef struct bench_stored_goal {
    const char *area;
    const char *to;
    double figure, low, high; /* `low` is NAN in files that do not tell */
    double max;
} bench_stored_goal;

#define BENCH_STORED_GOALS_MAX 8

/* One peer of one case. Texts are borrowed from the set. */
typedef struct bench_entry {
    const char *workload, *name, *peer, *unit;
    const char *ratio_to; /* NULL: not told; likewise the three below are then 0 */
    double ratio, ratio_low, ratio_high;
    double median, p90, p99, mad;
    double detectable; /* of the whole run, as a share */
    double size;       /* rows that the case is about; 0: not told */
    size_t samples;
    bool noisy;
    bench_row passes; /* medians */
    bench_row memory[BENCH_MEMORIES];
    double quantiles[BENCH_QUANTILES]; /* see bench_quantile_percent() */
    size_t nquantiles;                 /* 0 or BENCH_QUANTILES */
    bench_stored_goal goals[BENCH_STORED_GOALS_MAX];
    size_t ngoals;
} bench_entry;

#define BENCH_STORED_PEERS_MAX 8

/* A peer that was a program of its own, and its versions. */
typedef struct bench_stored_peer {
    const char *name, *version;
} bench_stored_peer;

typedef struct bench_header {
    /* What makes two machines comparable. */
    const char *cpu, *kernel, *compiler, *files_on, *sqlite, *sqlite_flags;
    const char *resqlite, *others, *label, *date, *commit;
    long cores;
    bench_stored_peer peers[BENCH_STORED_PEERS_MAX];
    size_t npeers;
} bench_header; /* "" where the file does not tell */

typedef struct bench_set {
    const char *path; /* borrowed */
    bench_header header;
    bench_entry *entries; /* owned */
    size_t n;
    size_t room;
    void *values; /* owned: the parsed JSON, from which the texts are borrowed */
} bench_set;

/* False: said why on standard error, with the line. The set is to be freed in any case. */
bool bench_set_read(bench_set *s, const char *path);

/* The same from memory; `path` is the name for messages. */
bool bench_set_parse(bench_set *s, const char *path, const char *text, size_t len);

void bench_set_free(bench_set *s); /* an all-zero one is fine */

/* NULL: there is none. */
const bench_entry *bench_set_find(const bench_set *s, const char *workload, const char *name,
                                  const char *peer);

/* The figures that are judged: of the passes if there are enough, else of the samples. */
bench_reading bench_entry_time(const bench_entry *e);
bench_reading bench_entry_memory(const bench_entry *e, bench_memory_kind kind);

/* Is it a peer of the library's? Others are what it is measured by. */
bool bench_peer_is_ours(const char *peer);

/* Which percentile the i-th quantile is: 0, 1, 5, 10 … 95, 99, 100. */
unsigned bench_quantile_percent(size_t i);

#endif
