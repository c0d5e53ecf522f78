/*
 * The writing thread: small transactions at a pace that can be watched.
 *
 * Most of them change cities that no live query shows, but all of them touch
 * the table that the live queries read. A few change an answer on purpose, and
 * tell the probe of that query when they did.
 */
#ifndef DEMO_WRITER_H
#define DEMO_WRITER_H

#include <stdbool.h>

#include <pthread.h>

#include "demo_data.h"
#include "demo_live.h"
#include "demo_time.h"

/** Transactions a second, unless the machine is slower. */
enum { WRITER_PACE = 200 };

typedef struct writer_figures {
    histogram latency; /* of a transaction */
} writer_figures;

typedef struct writer {
    /* Immutable after writer_init(). */
    const data *data;
    live *live;  /* borrowed for its probes */
    int stop_fd; /* borrowed: polls readable when it is to stop */
    int wake_fd; /* borrowed: a byte is written to it when the thread has failed */

    pthread_t thread; /* the thread that starts and joins it */

    /* The writing thread; after writer_join() the one that called it. */
    uint64_t random;
    uint64_t added, removed; /* cities that the demo has founded and given up */
    uint64_t drifts, changes;
    rsq_error error;
    bool failed;

    /* Both threads, under mu. */
    pthread_mutex_t mu;
    writer_figures figures;
} writer;

void writer_init(writer *w, const data *d, live *l, int stop_fd, int wake_fd);

/** False: no thread could be made. */
bool writer_start(writer *w);

/** Wait for its end, which the stop descriptor brings about; if it was started. */
void writer_join(writer *w);

void writer_read(writer *w, writer_figures *f);

/** When the thread has ended, or was never started. */
void writer_fini(writer *w);

#endif
