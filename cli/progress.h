/*
 * How far a long import, or a copy, is, on stderr: a bar on a terminal, else nothing but
 * the last line.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool quiet;        /* not even the last line */
    bool draws;        /* there is a terminal, and the bar may be on it */
    const char *label; /* borrowed */
    const char *unit;  /* borrowed; what is counted: "rows" */
    uint64_t size;     /* bytes in all; 0: unknown, then bytes are shown and no percentage */
    uint64_t opened_ns, began_ns, drawn_ns; /* progress_init(), progress_begin(), the last drawing */
    bool drawn;                             /* the cursor is on the line of the bar */
} progress;

void progress_init(progress *p, bool quiet);

/** A new pass over `size` bytes. */
void progress_begin(progress *p, const char *label, uint64_t size);

/** Cheap: draws ten times a second at most. */
void progress_update(progress *p, uint64_t bytes, uint64_t rows);

/** Take the bar away, so that something else can be printed. */
void progress_erase(progress *p);

/** The last line: rows, seconds and rows per second of all passes together. */
void progress_done(progress *p, const char *table, uint64_t rows);

#endif
