/* Peers by plan: the library and SQLite in this process, other libraries in processes of their own. */
#ifndef BENCH_PEERS_PEERS_H
#define BENCH_PEERS_PEERS_H

#include "bench.h"
#include "peers/plan.h"

/* The plan of a case of this area; the case's name is the plan's. */
const plan *peers_plan_of(const bench_case *of);

/* By name; NULL: there is none. */
const plan *peers_plan(const char *name);

/* Is a program here? `which`: see process.h. */
bool peers_is_here(int which);

/* The values that an operation's parameters, or a batch's, have: made before the clock starts. */
typedef struct peers_values {
    rsq_value *cells;             /* owned: nparams for each number */
    char (*texts)[PLAN_TEXT_MAX]; /* owned: for each cell */
    size_t numbers;               /* room */
} peers_values;

/* Those of `count` operations from `first` on. False: no memory. */
bool peers_values_fill(peers_values *v, const plan *p, uint64_t first, uint64_t count, uint64_t *calls);
void peers_values_fini(peers_values *v);

/* See sqlite.c, library.c and process.c. */
extern const bench_ops peers_sqlite;
extern const bench_ops peers_library;
extern const bench_ops peers_process;
/* The same, for answers in JSON, whose bytes may differ between peers though they say the same. */
extern const bench_ops peers_sqlite_json;
extern const bench_ops peers_library_json;
extern const bench_ops peers_process_json;

/* The sum of a block as the frame has it, from one in halves. */
static inline uint64_t peers_sum(double sum)
{
    return (uint64_t)(int64_t)(2 * sum);
}

#endif
