/*
 * A reader that stays leased between two chunks: the inside of an rsq_cursor,
 * and of an asynchronous read in chunks (chunks.h).
 *
 *            next begins            next returns, more rows
 *   RESTING ────────────► BUSY ───────────────────────────► RESTING
 *      │                   │ last row, failure, told to end
 *      │ idle, deadline,   ▼
 *      └ close, stop ───► ENDED: the reader is back in the pool
 *
 * Whoever takes it out of RESTING (the caller, the timer, a database that
 * closes, a writer whose log has grown too long) gives the reader back; a busy
 * one is told, and does it itself.
 * An asynchronous read is BUSY from the taking of a chunk on, while its job
 * waits for a worker, and before its first row.
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
    /* Immutable after rsq_cursor_init() and what follows it. */
    rsq_core *core;      /* borrowed until ENDED */
    rsq_request request; /* borrowed: behind the cursor in its block, or of the op */
    size_t chunk_rows;
    uint32_t idle_ms;
    int64_t deadline_ns; /* of all of it; RSQ_NO_DEADLINE: none, or the op's own */
    int64_t begun_ns;    /* it has had its snapshot since */
    /*
     * Of an asynchronous read; else NULL, and the next call says how it ended. `returned`: its reader is
     * back, and the core is still there; `rested`: somebody else ended it between two chunks. Then, when
     * nobody touches it any more, `cut` is called too. Both on the thread that ended it, with no lock held.
     */
    void (*returned)(rsq_cursor *cur, bool rested);
    void (*cut)(rsq_cursor *cur);

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

/* --- the parts, for whoever runs it --- */

/* BUSY, without a reader; zeroed before. `rq` stays borrowed. */
void rsq_cursor_init(rsq_cursor *cur, rsq_core *core, const rsq_request *rq, size_t chunk_rows,
                     uint32_t idle_ms);
void rsq_cursor_fini(rsq_cursor *cur);

/* Lease a reader and prepare the scan. BUSY before and after; on failure without a reader again. */
rsq_code rsq_cursor_begin(rsq_cursor *cur, uint32_t lease_ms, rsq_error *err);

/* From RESTING to BUSY. False: it has ended, or is BUSY. */
bool rsq_cursor_wake(rsq_cursor *cur);

/*
 * BUSY is over: rest (false), or give the reader back (true) because the last
 * row was read, it failed with `why` (code 0: it did not), or was told to end.
 * Then `why` says how it ended.
 */
bool rsq_cursor_leave(rsq_cursor *cur, bool done, rsq_error *why);

/* Have it end with `why`: at once if it rests. */
void rsq_cursor_end(rsq_cursor *cur, const rsq_error *why);

/* --- the blocking form --- */

/* RSQ_OK: `*out` is RESTING before its first row. */
rsq_code rsq_cursor_start(rsq_core *core, const rsq_request *rq, size_t chunk_rows, uint32_t idle_ms,
                          uint32_t timeout_ms, rsq_cursor **out, rsq_error *err);

/* The next chunk; `*out` NULL: the last one was given. From RESTING to RESTING or ENDED. */
rsq_code rsq_cursor_run(rsq_cursor *cur, rsq_shape shape, rsq_result **out, rsq_error *err);

/* End and free. */
void rsq_cursor_finish(rsq_cursor *cur);

/* How many hold a reader or are about to. */
size_t rsq_cursors_count(rsq_cursors *cs);

/* A client closes: end all of its that rest, tell the others; it can start no new ones. */
void rsq_cursors_end(rsq_cursors *cs, const rsq_client *client);

/* The log must begin anew: end all that rest, tell the others, with RSQ_ESNAPSHOT. */
void rsq_cursors_cut(rsq_cursors *cs);

/* Wait until its last one has ended: the core may not go before. With no call of the client's inside. */
void rsq_cursors_wait(rsq_cursors *cs, const rsq_client *client);

#endif
