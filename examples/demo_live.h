/*
 * The three live queries of the demo: what they ask, and what changed from one
 * answer to the next, in words.
 *
 * Everything here happens on the thread that dispatches the database's queue,
 * but for the probes, which the writer knows as well.
 */
#ifndef DEMO_LIVE_H
#define DEMO_LIVE_H

#include <stdbool.h>

#include <resqlite.h>

#include "demo_data.h"
#include "demo_text.h"
#include "demo_time.h"

enum { LIVE_COUNTRIES, LIVE_NORTHERNMOST, LIVE_CITY, LIVE_QUERIES };

/** An answer came: the first one, or one that differs from the one before. */
typedef void (*live_answer_fn)(size_t query, const text *change, void *ctx);

typedef struct live_query {
    size_t index;
    struct live *live;
    const char *sql;
    rsq_value params[1]; /* borrowed by calls; the stream has its copy */
    size_t nparams;
    rsq_stream *stream; /* owned until its end event; NULL after */
    rsq_result *answer; /* owned reference to the newest; NULL before the first */
    rsq_stream_counters counters;
    probe probe;
} live_query;

typedef struct live {
    rsq_db *db;
    live_query queries[LIVE_QUERIES];
    bool failed;
    rsq_error error;       /* of a query, if it failed */
    live_answer_fn answer; /* called inside the dispatch */
    void *ctx;
} live;

/** Short name of a query, the same as in the table and in the list of events. */
const char *live_title(size_t query);

/** Open all three. On failure those that were opened are to be closed. */
rsq_code live_open(live *l, const data *d, live_answer_fn answer, void *ctx, rsq_error *err);

/** Does each query have its first answer? */
bool live_has_answers(const live *l);

/** Is each query's newest answer that of its SQL, run now? */
rsq_code live_is_current(const live *l, bool *current, rsq_error *err);

/** Counters and latencies of one query. */
typedef struct live_figures {
    rsq_stream_counters counters;
    histogram latency;
} live_figures;

void live_read(live *l, size_t query, live_figures *f);

/** Close all; each is gone when the queue has dispatched its end. */
void live_close(live *l);
bool live_is_closed(const live *l);

/** When all are gone, or with the database closed. */
void live_fini(live *l);

#endif
