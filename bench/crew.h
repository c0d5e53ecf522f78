/*
 * Threads that stand ready, so that a timed block contains the work of several
 * threads and not their creation.
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

typedef struct bench_crew bench_crew;

/* What each member does; `member` counts from 0. */
typedef void (*bench_crew_fn)(void *ctx, unsigned member);

/* `members` is at least 1; the thread that runs the crew is member 0. NULL: no memory or no thread. */
bench_crew *bench_crew_new(unsigned members);

/* Run `fn` once in every member at the same time, each bound to a core; returns when all are done. */
void bench_crew_run(bench_crew *c, bench_crew_fn fn, void *ctx);

void bench_crew_free(bench_crew *c); /* NULL is a no-op */

#endif
