/*
 * How what runs on a connection is told to stop: a flag and an interrupt.
 *
 * The flag is looked at by SQLite every thousand steps of a program, through
 * the connection's progress handler, and belongs to one run: it can stop no
 * other. The interrupt reaches into single long steps (count(*), a sort) but
 * belongs to the connection, so it is sent under the lock that says which run
 * has the connection; and since SQLite forgets an interrupt that comes just
 * before a statement begins, it is sent again each millisecond until the run
 * has left.
 */
#ifndef RSQ_EXEC_STOP_H
#define RSQ_EXEC_STOP_H

#include <stdatomic.h>

#include "exec/timer.h"
#include "sql/conn.h"

typedef struct rsq_stop {
    /* Immutable after rsq_stop_init(). */
    rsq_timer *timer; /* borrowed until rsq_stop_detach() */
    void (*early)(struct rsq_stop *s,
                  rsq_code why); /* asked before it began; NULL: it will be told by enter */

    /*
     * The flag that SQLite looks at. Set under mu; read without it, late by one
     * look at worst: it orders nothing.
     */
    _Atomic bool asked;

    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_conn *conn; /* borrowed while the run has it; NULL: it does not run */
    rsq_code why;   /* RSQ_ECANCELLED, RSQ_ETIMEOUT; RSQ_OK: not asked */
    bool entered;   /* it has begun and does not rest, or it ended */
    bool timed;     /* the timer has, or had, its entry */

    rsq_timer_entry deadline; /* the deadline, then each next interrupt */
} rsq_stop;

/*
 * After rsq_timer_ensure(). `timeout_ms` 0: no deadline. `early` is called at
 * most once, with no lock held, on the thread that asks or the timer's.
 */
void rsq_stop_init(rsq_stop *s, rsq_timer *timer, uint32_t timeout_ms,
                   void (*early)(rsq_stop *s, rsq_code why));

/* The run has left, or will not come: let go of the timer. Not on its thread. */
void rsq_stop_detach(rsq_stop *s);

/* After it was detached. */
void rsq_stop_fini(rsq_stop *s);

/* Ask it to stop; the first reason counts. Any thread. */
void rsq_stop_ask(rsq_stop *s, rsq_code why);

/* The run has got `conn` and begins. False: it was asked to stop already, and does not begin. */
bool rsq_stop_enter(rsq_stop *s, rsq_conn *conn);

/* The same for a run that does not let itself be stopped once it has begun: nobody tells of it any more. */
bool rsq_stop_begin(rsq_stop *s);

/* It has ended, and gives the connection back after this. */
void rsq_stop_leave(rsq_stop *s);

/*
 * It gives the connection up for a while and may enter again; meanwhile it
 * counts as not begun, so `early` tells of being asked. False: it was asked
 * before, and nobody will tell.
 */
bool rsq_stop_rest(rsq_stop *s);

/* Why it was asked to stop; RSQ_OK: it was not. */
rsq_code rsq_stop_why(rsq_stop *s);

/* What a run that ended with `code` and `err` ended with, if it was asked to stop: the reason, not the
 * interrupt. */
rsq_code rsq_stop_verdict(rsq_stop *s, rsq_code code, rsq_error *err);

/* RSQ_ECANCELLED or RSQ_ETIMEOUT with its text. */
rsq_code rsq_stop_error(rsq_code why, rsq_error *err);

#endif
