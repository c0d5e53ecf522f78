/* A thread that commits 1,000 small writes a second beside the reads of a block. */
#ifndef BENCH_BESIDE_H
#define BENCH_BESIDE_H

#include "bench.h"

/* The read by key of reads.h with such a thread: its writes go through a connection of the same kind. */
extern const bench_ops beside_rsq_point;
extern const bench_ops beside_raw_point;

#endif
