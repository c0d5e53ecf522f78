#include "exec/stop.h"

#include <assert.h>
#include <stddef.h>

#include "base/error.h"

/* How long after an interrupt that SQLite may have missed the next one follows. */
#define REPEAT_NS 1000000

/* True: it has not begun, and whoever waits for it shall be told. */
static bool ask_locked(rsq_stop *s, rsq_code why)
{
    bool first = s->why == RSQ_OK;

    if (first)
        s->why = why;
    atomic_store_explicit(&s->asked, true, memory_order_relaxed);
    if (s->conn)
        rsq_conn_interrupt(s->conn);
    return first && !s->entered && s->early;
}

static int64_t due(rsq_timer_entry *entry)
{
    rsq_stop *s = (rsq_stop *)(void *)((char *)entry - offsetof(rsq_stop, deadline));
    bool runs, early;

    rsq_mutex_lock(&s->mu);
    early = ask_locked(s, RSQ_ETIMEOUT);
    runs = s->conn != NULL;
    rsq_mutex_unlock(&s->mu);
    if (early)
        s->early(s, RSQ_ETIMEOUT);
    return runs ? rsq_now_ns() + REPEAT_NS : RSQ_NO_DEADLINE;
}

void rsq_stop_init(rsq_stop *s, rsq_timer *timer, uint32_t timeout_ms,
                   void (*early)(rsq_stop *s, rsq_code why))
{
    s->timer = timer;
    s->early = early;
    s->entered = false;
    atomic_init(&s->asked, false);
    rsq_mutex_init(&s->mu);
    s->conn = NULL;
    s->why = RSQ_OK;
    s->deadline = (rsq_timer_entry){.due = due};
    s->timed = timeout_ms && timeout_ms != RSQ_NO_TIMEOUT;
    if (s->timed)
        rsq_timer_add(timer, &s->deadline, rsq_deadline_ns(timeout_ms));
}

void rsq_stop_detach(rsq_stop *s)
{
    bool timed;

    rsq_mutex_lock(&s->mu);
    assert(!s->conn);
    s->entered = true;
    timed = s->timed;
    rsq_mutex_unlock(&s->mu);
    if (timed)
        rsq_timer_remove(s->timer, &s->deadline);
}

void rsq_stop_fini(rsq_stop *s)
{
    rsq_mutex_fini(&s->mu);
}

void rsq_stop_ask(rsq_stop *s, rsq_code why)
{
    bool early;

    rsq_mutex_lock(&s->mu);
    early = ask_locked(s, why);
    if (s->conn) {
        s->timed = true;
        rsq_timer_add(s->timer, &s->deadline, rsq_now_ns() + REPEAT_NS);
    }
    rsq_mutex_unlock(&s->mu);
    if (early)
        s->early(s, why);
}

bool rsq_stop_enter(rsq_stop *s, rsq_conn *conn)
{
    bool go;

    rsq_mutex_lock(&s->mu);
    assert(!s->conn);
    go = s->why == RSQ_OK;
    if (go) {
        s->entered = true;
        s->conn = conn;
        rsq_conn_watch(conn, &s->asked);
    }
    rsq_mutex_unlock(&s->mu);
    return go;
}

bool rsq_stop_begin(rsq_stop *s)
{
    bool go;

    rsq_mutex_lock(&s->mu);
    go = s->why == RSQ_OK;
    s->entered = s->entered || go;
    rsq_mutex_unlock(&s->mu);
    return go;
}

void rsq_stop_leave(rsq_stop *s)
{
    rsq_mutex_lock(&s->mu);
    assert(s->conn);
    rsq_conn_watch(s->conn, NULL);
    s->conn = NULL;
    rsq_mutex_unlock(&s->mu);
}

bool rsq_stop_rest(rsq_stop *s)
{
    bool in_time;

    rsq_mutex_lock(&s->mu);
    assert(s->conn);
    rsq_conn_watch(s->conn, NULL);
    s->conn = NULL;
    s->entered = false;
    in_time = s->why == RSQ_OK;
    rsq_mutex_unlock(&s->mu);
    return in_time;
}

rsq_code rsq_stop_why(rsq_stop *s)
{
    rsq_code why;

    rsq_mutex_lock(&s->mu);
    why = s->why;
    rsq_mutex_unlock(&s->mu);
    return why;
}

rsq_code rsq_stop_error(rsq_code why, rsq_error *err)
{
    return rsq_error_set(err, why, why == RSQ_ETIMEOUT ? "the deadline passed" : "cancelled");
}

rsq_code rsq_stop_verdict(rsq_stop *s, rsq_code code, rsq_error *err)
{
    rsq_code why = rsq_stop_why(s);
    int64_t row = err ? err->row : -1;

    /* It stops waiting for another process's lock too. */
    if ((code != RSQ_ECANCELLED && code != RSQ_EBUSY) || why == RSQ_OK)
        return code;
    (void)rsq_stop_error(why, err);
    if (err)
        err->row = row;
    return why;
}
