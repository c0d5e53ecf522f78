/*
 * The inside of an rsq_cursor: a reader that stays leased between two calls.
 *
 *            next begins            next returns, more rows
 *   RESTING ────────────► BUSY ───────────────────────────► RESTING
 *      │                   │ last row, failure, told to end
 *      │ idle, deadline,   ▼
 *      └ close, stop ───► ENDED: the reader is back in the pool
 *
 * Whoever takes it out of RESTING (the caller, the timer, a database that
 * closes) gives the reader back; a busy one is told, and does it itself.
 */
#ifndef RSQ_EXEC_CURSOR_H
#define RSQ_EXEC_CURSOR_H

#include "exec/core.h"

typedef enum rsq_cursor_state {
    RSQ_CURSOR_RESTING,
    RSQ_CURSOR_BUSY,
    RSQ_CURSOR_ENDING,
    RSQ_CURSOR_ENDED
} rsq_cursor_state;

struct rsq_cursor {
    /* Immutable after rsq_cursor_start(). */
    rsq_core *core;      /* borrowed until ENDED */
    rsq_request request; /* in the cursor's own block, SQL and parameters too */
    size_t chunk_rows;
    uint32_t idle_ms;
    int64_t deadline_ns; /* of all of it; RSQ_NO_DEADLINE: none */

    /* Who has it BUSY or ENDING. */
    rsq_lease lease;

    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond ended; /* ENDING became ENDED */
    rsq_cursor_state state;
    bool finished;    /* the last row was given */
    rsq_error why;    /* how it ended, if not by its last row; code 0: it did not */
    int64_t rests_ns; /* since when */

    rsq_timer_entry alarm;
    rsq_cursor *prev, *next; /* the core's list, under its mutex */
};

/* RSQ_OK: `*out` is RESTING before its first row. */
rsq_code rsq_cursor_start(rsq_core *core, const rsq_request *rq, size_t chunk_rows, uint32_t idle_ms,
                          uint32_t timeout_ms, rsq_cursor **out, rsq_error *err);

/* The next chunk; `*out` NULL: the last one was given. From RESTING to RESTING or ENDED. */
rsq_code rsq_cursor_run(rsq_cursor *cur, rsq_shape shape, rsq_result **out, rsq_error *err);

/* End and free. */
void rsq_cursor_finish(rsq_cursor *cur);

/* The core stops: end all that rest, tell the others, take no new ones. */
void rsq_cursors_end_all(rsq_core *core);

/* Wait until the last one has ended: the core may not go before. */
void rsq_cursors_wait(rsq_core *core);

#endif
