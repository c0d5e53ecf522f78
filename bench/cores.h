/*
 * Which core a thread runs on.
 *
 * Schedulers of small virtual machines were seen to wake a thread on the core of
 * its waker and leave both there for whole blocks; a figure with two threads was
 * then theirs. So threads of such cases have a core each. A thread of the library
 * inherits the core of the thread that caused it to be started.
 */
#ifndef BENCH_CORES_H
#define BENCH_CORES_H

/* Bind the calling thread to the i-th of the process's cores, going round if there are fewer. */
void bench_core_take(unsigned i);

/* Let the calling thread run on all of them again. */
void bench_core_leave(void);

#endif
