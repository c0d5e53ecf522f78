/* A process of its own for what can only be seen in a fresh one: the cold start, and memory; see fresh.c. */
#ifndef BENCH_FRESH_H
#define BENCH_FRESH_H

#include "options.h"

/* The command of that process: words are a job, a peer and a database file. Prints the most memory it had, in
 * KiB. */
int bench_fresh(const bench_options *o);

#endif
