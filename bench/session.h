/* The commands that measure (run, goals, open, once), and the one that compares what was measured before. */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "options.h"

int bench_run(const bench_options *o);
int bench_experiment(const bench_options *o);
int bench_goals(const bench_options *o);
int bench_open(const bench_options *o);
int bench_once(const bench_options *o);
int bench_compare_stored(const bench_options *o);

#endif
