/*
 * Did a statement ask for the time?
 *
 * A function of time reads the clock when its argument is 'now', or when it has
 * none. Where that comes from a parameter or from a column, nothing in the
 * compiled program tells: `date(due)` is an exact function of what is stored,
 * until somebody stores 'now'. But SQLite asks its VFS for the time. So
 * connections are opened with one of ours, which is the program's default VFS in
 * all else, and counts for each thread how often it was asked.
 *
 * It is asked by nothing but these functions (and profiling, which nobody turns
 * on here), once in each run of a statement.
 */
#ifndef RSQ_SQL_CLOCK_H
#define RSQ_SQL_CLOCK_H

#include <stdint.h>

/* The name of the VFS to open a connection with. NULL: no memory. Thread: any. */
const char *rsq_clock_vfs(void);

/* How often the calling thread has read the clock through it. */
uint64_t rsq_clock_reads(void);

#endif
