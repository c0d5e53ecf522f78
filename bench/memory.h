/*
 * What a peer takes of memory. In one process with all the others nobody could
 * tell whose a page is, so each is looked at in a process of its own, which opens
 * the peer, works for a moment and tells.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include "bench.h"
#include "place.h"
#include "store.h"

/* One figure for each kind; NAN: not known. */
typedef struct bench_memory {
    double figures[BENCH_MEMORIES];
} bench_memory;

/*
 * Start this program again for one peer and wait for what it says. False: it failed, and said why. A peer
 * whose work is done by another program has no figures: `*out` is all NAN.
 */
bool bench_memory_of(const bench_case *of, size_t peer, const char *dir, bench_memory *out);

/* What the started program does: measure and print one line on standard output. */
bool bench_memory_tell(const bench_case *of, size_t peer, const bench_place *place);

#endif
