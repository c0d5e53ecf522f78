/*
 * Instructions by function, of a run of this very program under callgrind. The
 * function bench_counted_block() alone is counted; see measure.h.
 */
#ifndef BENCH_CALLGRIND_H
#define BENCH_CALLGRIND_H

#include <stdbool.h>
#include <stdint.h>

/* What calls of a function took, with all that they called. Found by name, wherever it was called from. */
typedef struct callgrind_entry {
    const char *function; /* borrowed */
    const char *inside;   /* borrowed; only calls by this function; NULL: by any */
    uint64_t instructions;
} callgrind_entry;

#define CALLGRIND_ENTRIES_MAX 16

/* Is there a valgrind? */
bool callgrind_is_there(void);

/* Run `once` for a peer of a case, in the directory `dir`. `*total`: of the whole block. False: it failed; an
 * older valgrind does not read what newer compilers write. */
bool callgrind_run(const char *dir, const char *of, const char *peer, uint64_t ops, callgrind_entry *entries,
                   unsigned count, uint64_t *total);

#endif
