/*
 * The reading thread: three kinds of read in turn, a slice of time each, as
 * fast as one thread can.
 */
#ifndef DEMO_READER_H
#define DEMO_READER_H

#include <stdbool.h>

#include <pthread.h>

#include "demo_data.h"
#include "demo_time.h"

enum { READ_CITY, READ_ROWS, READ_JSON, READ_KINDS };

/** Rows of the two large reads. */
enum { READ_ROWS_COUNT = 1000 };

typedef struct reader_figures {
    histogram latency[READ_KINDS];
    uint64_t slice_ns[READ_KINDS]; /* time it had */
    uint64_t json_bytes;           /* all together */
} reader_figures;

typedef struct reader {
    /* Immutable after reader_init(). */
    const data *data;
    int stop_fd; /* borrowed: polls readable when it is to stop */
    int wake_fd; /* borrowed: a byte is written to it when the thread has failed */

    pthread_t thread; /* the thread that starts and joins it */

    /* The reading thread; after reader_join() the one that called it. */
    reader_figures own;
    uint64_t random;
    double latitudes; /* sum of all it read, so that the cells are read */
    rsq_error error;
    bool failed;

    /* Both threads, under mu. */
    pthread_mutex_t mu;
    reader_figures published;
} reader;

void reader_init(reader *r, const data *d, int stop_fd, int wake_fd);

/** False: no thread could be made. */
bool reader_start(reader *r);

/** Wait for its end, which the stop descriptor brings about; if it was started. */
void reader_join(reader *r);

/** Figures up to the last whole slice. */
void reader_read(reader *r, reader_figures *f);

/** When the thread has ended, or was never started. */
void reader_fini(reader *r);

#endif
