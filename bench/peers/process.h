/* A peer that is a program of its own: started once for a case, spoken to in lines of JSON. */
#ifndef BENCH_PEERS_PROCESS_H
#define BENCH_PEERS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peers/plan.h"

/* The programs there are; bench_peer.variant of a case holds it. */
enum { PROCESS_BETTER_SQLITE3, PROCESS_AIOSQLITE, PROCESS_PGLITE, PROCESS_SQLITECPP, PROCESSES };

const char *process_name(int which);

/*
 * Is the program here? Then `version` is a line that says of what versions it is;
 * else why it is not, with what would install it.
 */
bool process_find(int which, char *version, size_t size);

typedef struct process process;

/* Start it and have it open a database by a plan. NULL: it failed, and `why` says how. */
process *process_start(int which, const plan *p, const char *path, char *why, size_t size);

/* Each of these asks and waits for the answer. False: see process_why(). */
bool process_prepare(process *x);
bool process_hash(process *x, uint64_t operations, uint64_t *hash);
/* `us`: NULL, or where the time of each operation goes. */
bool process_run(process *x, uint64_t first, uint64_t count, double *total_us, double *sum, double *us);

const char *process_why(const process *x);

void process_stop(process *x); /* NULL is a no-op */

#endif
