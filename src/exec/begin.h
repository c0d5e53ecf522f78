/*
 * An interactive transaction: one that stays open between two calls, with the
 * writer's turn held all the while.
 *
 *            a call begins           the call returns
 *   RESTING ───────────────► BUSY ─────────────────────► RESTING
 *      │                      │ told to end, or SQLite rolled it back
 *      │ commit, rollback,    ▼
 *      └ idle, close ─────► ENDING ───► ENDED: the turn is the next one's
 *
 * Whoever takes it out of RESTING (the caller, the timer, a database that
 * closes) has the writer's connection to itself until it has ended it; a call
 * that runs is told, and does it itself when it returns. So the connection is
 * never touched by two threads.
 *
 * The handle is the caller's until it commits or rolls back, whatever ended the
 * transaction before. After that it is kept for a while, so that a call that
 * comes late is told so and does not read freed memory.
 */
#ifndef RSQ_EXEC_BEGIN_H
#define RSQ_EXEC_BEGIN_H

#include "exec/tx.h"

typedef enum rsq_begun_state {
    RSQ_BEGUN_RESTING,
    RSQ_BEGUN_BUSY,
    RSQ_BEGUN_ENDING,
    RSQ_BEGUN_ENDED
} rsq_begun_state;

typedef struct rsq_begun {
    /* Who has it BUSY or ENDING; the handle is the address of this, its core is borrowed until ENDED. */
    rsq_tx tx;

    /* Immutable after rsq_begun_start(). */
    uint32_t idle_ms;

    /* The handle, until it leaves the graveyard, and asynchronous calls on it that wait. Release on drop,
     * acquire by the one that frees. */
    _Atomic uint32_t refs;

    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond ended; /* ENDING became ENDED */
    rsq_begun_state state;
    uintptr_t busy_thread; /* whose call runs, while BUSY */
    unsigned calls;        /* that run: more than one inside a nested transaction's function */
    unsigned asked;        /* asynchronous calls that have not run */
    bool given_up;         /* the caller has committed or rolled back */
    bool lost;             /* SQLite rolled it back by itself */
    rsq_error why;         /* how it ended, or is told to; code 0: neither */
    int64_t rests_ns;      /* since when */

    rsq_timer_entry alarm;
} rsq_begun;

/*
 * Wait for the turn and begin. `moves`: it will be used by several threads, so
 * nothing follows from which one began it. RSQ_OK: `*out` is RESTING.
 */
rsq_code rsq_begun_start(rsq_core *core, const rsq_client *client, bool moves, uint32_t origin,
                         uint32_t idle_ms, uint32_t timeout_ms, rsq_tx **out, rsq_error *err);

/* The same for who has the turn, which is the transaction's if it is RSQ_OK. */
rsq_code rsq_begun_adopt(rsq_core *core, const rsq_client *client, uint32_t idle_ms, rsq_tx **out,
                         rsq_error *err);

/*
 * An asynchronous call is about to be submitted: RSQ_OK keeps the handle until
 * rsq_begun_unref(), and its client, and so the core, until
 * rsq_writer_answered(). Else the transaction has ended. unask: it was not
 * submitted after all.
 */
rsq_code rsq_begun_ask(rsq_begun *b);
void rsq_begun_unask(rsq_begun *b);
void rsq_begun_ran(rsq_begun *b); /* it has run, or will not */
void rsq_begun_unref(rsq_begun *b);

/* For one call on the handle: from RESTING to BUSY, or one more inside a nested function. Else why not. */
rsq_code rsq_begun_enter(rsq_begun *b, rsq_error *err);
void rsq_begun_leave(rsq_begun *b);

/*
 * End it and give the handle up. RSQ_EMISUSE: it is given up already, or a call
 * runs; then nothing happens. `in_line`: asked for in line with the asynchronous
 * calls; else it is RSQ_EMISUSE if one waits, of which it would commit the part before.
 */
rsq_code rsq_begun_commit(rsq_begun *b, bool in_line, rsq_error *err);
rsq_code rsq_begun_rollback(rsq_begun *b, rsq_error *err);

/* Would this thread wait for the writer that it holds itself? RSQ_OK or RSQ_EMISUSE. */
rsq_code rsq_begun_check_wait(const rsq_core *core, rsq_error *err);

/* A client closes: roll back its one that rests, tell its one that is busy; it can begin no new ones. */
void rsq_begins_end(rsq_core *core, const rsq_client *client);

/* Wait until it has ended: the core may not go before. */
void rsq_begins_wait(rsq_core *core, const rsq_client *client);

#endif
