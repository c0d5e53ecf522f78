#include "exec/cursor.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/values.h"

/* --- the core's list --- */

/* Of a client that closes it is told to end at once. */
static void list_add(rsq_cursor *cur)
{
    rsq_cursors *cs = &cur->core->cursors;

    rsq_mutex_lock(&cs->mu);
    cur->prev = NULL;
    cur->next = cs->first;
    if (cs->first)
        cs->first->prev = cur;
    cs->first = cur;
    if (rsq_client_is_closing(cur->request.client))
        (void)rsq_error_set(&cur->why, RSQ_ECLOSED, "the database is closed");
    rsq_mutex_unlock(&cs->mu);
}

static void unreserve_locked(rsq_cursors *cs)
{
    cs->count--;
    rsq_cond_broadcast(&cs->fewer);
}

static void list_remove(rsq_cursor *cur)
{
    rsq_cursors *cs = &cur->core->cursors;

    rsq_mutex_lock(&cs->mu);
    if (cur->prev)
        cur->prev->next = cur->next;
    else
        cs->first = cur->next;
    if (cur->next)
        cur->next->prev = cur->prev;
    unreserve_locked(cs);
    rsq_mutex_unlock(&cs->mu);
}

/* Cursors never take the last reader, so that short reads go on. */
static rsq_code reserve(rsq_core *core, const rsq_client *client, rsq_error *err)
{
    rsq_cursors *cs = &core->cursors;
    size_t max = core->readers.count - 1;
    rsq_code code = RSQ_OK;

    rsq_mutex_lock(&cs->mu);
    if (rsq_client_is_closing(client))
        code = rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
    else if (cs->count >= max)
        code = rsq_error_set(
            err, RSQ_ETOOBIG,
            "no room for one more cursor (open: %zu): the last reader is kept for short reads", cs->count);
    else
        cs->count++;
    rsq_mutex_unlock(&cs->mu);
    return code;
}

static void unreserve(rsq_core *core)
{
    rsq_mutex_lock(&core->cursors.mu);
    unreserve_locked(&core->cursors);
    rsq_mutex_unlock(&core->cursors.mu);
}

/* --- ending --- */

/* The reader goes back; from ENDING to ENDED. Whoever does it may have nothing but the cursor's place in the
 * list to keep the core. */
static void give_back(rsq_cursor *cur, bool rested)
{
    rsq_conn_scan_end(cur->lease.conn);
    rsq_core_release(cur->core, &cur->lease);
    rsq_timer_remove(&cur->core->timer, &cur->alarm);
    if (cur->returned)
        cur->returned(cur, rested);
    list_remove(cur);
    rsq_mutex_lock(&cur->mu);
    assert(cur->state == RSQ_CURSOR_ENDING);
    cur->state = RSQ_CURSOR_ENDED;
    rsq_cond_broadcast(&cur->ended);
    rsq_mutex_unlock(&cur->mu);
}

/* Have it end with `why`. True: it rested, is ENDING now, and the caller gives back. */
static bool end_locked(rsq_cursor *cur, const rsq_error *why)
{
    if (cur->state > RSQ_CURSOR_BUSY)
        return false;
    if (cur->why.code == 0)
        cur->why = *why;
    if (cur->state == RSQ_CURSOR_BUSY)
        return false;
    cur->state = RSQ_CURSOR_ENDING;
    return true;
}

/* After end_locked(): the cursor's owner may free it in here. */
static void cut_off(rsq_cursor *cur)
{
    void (*cut)(rsq_cursor * cur) = cur->cut;

    give_back(cur, true);
    if (cut)
        cut(cur);
}

void rsq_cursor_end(rsq_cursor *cur, const rsq_error *why)
{
    bool mine;

    rsq_mutex_lock(&cur->mu);
    mine = end_locked(cur, why);
    rsq_mutex_unlock(&cur->mu);
    if (mine)
        cut_off(cur);
}

static int64_t next_alarm_locked(const rsq_cursor *cur)
{
    int64_t idle = cur->rests_ns + (int64_t)cur->idle_ms * 1000000;

    return idle < cur->deadline_ns ? idle : cur->deadline_ns;
}

static int64_t ring(rsq_timer_entry *entry)
{
    rsq_cursor *cur = (rsq_cursor *)(void *)((char *)entry - offsetof(rsq_cursor, alarm));
    int64_t again = RSQ_NO_DEADLINE;
    int64_t now = rsq_now_ns();
    bool mine = false;
    rsq_error why;

    rsq_mutex_lock(&cur->mu);
    (void)rsq_error_set(&why, RSQ_ETIMEOUT,
                        now >= cur->deadline_ns ? "the cursor's deadline passed"
                                                : "the cursor was left idle for too long");
    if (cur->state == RSQ_CURSOR_BUSY)
        again = now + (int64_t)cur->idle_ms * 1000000; /* what runs has its own limit */
    else if (next_alarm_locked(cur) > now)
        again = next_alarm_locked(cur);
    else
        mine = end_locked(cur, &why);
    rsq_mutex_unlock(&cur->mu);
    if (mine)
        cut_off(cur);
    return again;
}

static void say_why(const rsq_cursor *cur, rsq_code code, rsq_error *why)
{
    long long ms = (rsq_now_ns() - cur->begun_ns) / 1000000;
    int len = cur->request.sql_len < 200 ? (int)cur->request.sql_len : 200;

    if (code == RSQ_ECLOSED)
        (void)rsq_error_set(why, code, "the database is closed");
    else
        (void)rsq_error_set(why, code, "the log had to begin anew, held back for %lld ms by \"%.*s\"", ms,
                            len, cur->request.sql);
}

/* All of a client; NULL: of all clients. */
static void end_locked_of(rsq_cursors *cs, const rsq_client *client, rsq_code code)
{
    rsq_cursor *cur;

    for (cur = cs->first; cur;) {
        rsq_error why;
        bool mine;

        if (client && cur->request.client != client) {
            cur = cur->next;
            continue;
        }
        say_why(cur, code, &why);
        rsq_mutex_lock(&cur->mu);
        mine = end_locked(cur, &why);
        rsq_mutex_unlock(&cur->mu);
        if (!mine) {
            cur = cur->next;
            continue;
        }
        /* ENDING keeps the cursor alive without the list's lock; the list has changed after it. */
        rsq_mutex_unlock(&cs->mu);
        cut_off(cur);
        rsq_mutex_lock(&cs->mu);
        cur = cs->first;
    }
}

void rsq_cursors_end(rsq_cursors *cs, const rsq_client *client)
{
    rsq_mutex_lock(&cs->mu);
    end_locked_of(cs, client, RSQ_ECLOSED);
    rsq_mutex_unlock(&cs->mu);
}

void rsq_cursors_cut(rsq_cursors *cs)
{
    rsq_mutex_lock(&cs->mu);
    end_locked_of(cs, NULL, RSQ_ESNAPSHOT);
    rsq_mutex_unlock(&cs->mu);
}

size_t rsq_cursors_count(rsq_cursors *cs)
{
    size_t n;

    rsq_mutex_lock(&cs->mu);
    n = cs->count;
    rsq_mutex_unlock(&cs->mu);
    return n;
}

static bool has_any_locked(const rsq_cursors *cs, const rsq_client *client)
{
    for (const rsq_cursor *cur = cs->first; cur; cur = cur->next) {
        if (cur->request.client == client)
            return true;
    }
    return false;
}

void rsq_cursors_wait(rsq_cursors *cs, const rsq_client *client)
{
    rsq_mutex_lock(&cs->mu);
    while (has_any_locked(cs, client))
        (void)rsq_cond_wait_until(&cs->fewer, &cs->mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&cs->mu);
}

bool rsq_cursor_leave(rsq_cursor *cur, bool done, rsq_error *why)
{
    bool end;

    rsq_mutex_lock(&cur->mu);
    assert(cur->state == RSQ_CURSOR_BUSY);
    if (why->code != 0)
        cur->why = *why; /* the caller is told this now, and again */
    cur->finished = done;
    end = done || cur->why.code != 0;
    cur->state = end ? RSQ_CURSOR_ENDING : RSQ_CURSOR_RESTING;
    cur->rests_ns = rsq_now_ns();
    if (!end)
        rsq_timer_add(&cur->core->timer, &cur->alarm, next_alarm_locked(cur));
    else
        *why = done ? (rsq_error){0} : cur->why;
    rsq_mutex_unlock(&cur->mu);
    if (end)
        give_back(cur, false);
    return end;
}

bool rsq_cursor_wake(rsq_cursor *cur)
{
    bool rested;

    rsq_mutex_lock(&cur->mu);
    rested = cur->state == RSQ_CURSOR_RESTING;
    if (rested)
        cur->state = RSQ_CURSOR_BUSY;
    rsq_mutex_unlock(&cur->mu);
    return rested;
}

/* --- beginning --- */

void rsq_cursor_init(rsq_cursor *cur, rsq_core *core, const rsq_request *rq, size_t chunk_rows,
                     uint32_t idle_ms)
{
    cur->core = core;
    cur->request = *rq;
    cur->chunk_rows = chunk_rows;
    cur->idle_ms = idle_ms;
    cur->deadline_ns = RSQ_NO_DEADLINE;
    cur->state = RSQ_CURSOR_BUSY;
    cur->alarm.due = ring;
    rsq_mutex_init(&cur->mu);
    rsq_cond_init(&cur->ended);
}

void rsq_cursor_fini(rsq_cursor *cur)
{
    rsq_cond_fini(&cur->ended);
    rsq_mutex_fini(&cur->mu);
}

static rsq_code lease_and_scan(rsq_cursor *cur, uint32_t lease_ms, rsq_error *err)
{
    rsq_code code = rsq_core_lease(cur->core, &cur->request, lease_ms, &cur->lease, err);

    if (code != RSQ_OK)
        return code;
    code = rsq_conn_scan_begin(cur->lease.conn, &cur->request, err);
    if (code != RSQ_OK)
        rsq_core_release(cur->core, &cur->lease);
    return code;
}

rsq_code rsq_cursor_begin(rsq_cursor *cur, uint32_t lease_ms, rsq_error *err)
{
    rsq_core *core = cur->core;
    rsq_code code;

    if (core->single)
        return rsq_error_set(err, RSQ_EUNSUPPORTED, "a read in chunks would keep the only connection");
    code = reserve(core, cur->request.client, err);
    if (code != RSQ_OK)
        return code;
    code = lease_and_scan(cur, lease_ms, err);
    cur->begun_ns = rsq_now_ns();
    /* Listed while it is BUSY, so that nobody ends it before its alarm is set. */
    if (code == RSQ_OK)
        list_add(cur);
    else
        unreserve(core);
    return code;
}

/* --- the blocking form --- */

static rsq_cursor *make_cursor(rsq_core *core, const rsq_request *rq, size_t chunk_rows, uint32_t idle_ms)
{
    size_t values = rsq_values_size(rq->params, rq->nparams);
    rsq_cursor *cur = rsq_alloc_zero(sizeof *cur + values + rq->sql_len + 1);
    char *sql;

    if (!cur)
        return NULL;
    rsq_cursor_init(cur, core, rq, chunk_rows, idle_ms);
    sql = rsq_values_pack(cur + 1, rq->params, rq->nparams);
    memcpy(sql, rq->sql, rq->sql_len);
    cur->request.params = (const rsq_value *)(const void *)(cur + 1);
    cur->request.sql = sql;
    return cur;
}

static void free_cursor(rsq_cursor *cur)
{
    rsq_cursor_fini(cur);
    rsq_free(cur);
}

rsq_code rsq_cursor_start(rsq_core *core, const rsq_request *rq, size_t chunk_rows, uint32_t idle_ms,
                          uint32_t timeout_ms, rsq_cursor **out, rsq_error *err)
{
    rsq_error none = {0};
    rsq_cursor *cur;
    rsq_code code;

    code = rsq_timer_ensure(&core->timer, err);
    if (code != RSQ_OK)
        return code;
    cur = make_cursor(core, rq, chunk_rows, idle_ms);
    if (!cur)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    if (timeout_ms)
        cur->deadline_ns = rsq_deadline_ns(timeout_ms);
    code = rsq_cursor_begin(cur, rsq_core_timeout(core, timeout_ms), err);
    if (code != RSQ_OK) {
        free_cursor(cur);
        return code;
    }
    /* If it ended already, the next call says so. */
    (void)rsq_cursor_leave(cur, false, &none);
    *out = cur;
    return RSQ_OK;
}

/* BUSY, if it is RESTING: RSQ_OK. Else how it ended, where RSQ_OK with `*finished` means by its last row. */
static rsq_code enter(rsq_cursor *cur, bool *finished, rsq_error *err)
{
    rsq_code code = RSQ_OK;

    rsq_mutex_lock(&cur->mu);
    *finished = cur->finished;
    if (cur->state == RSQ_CURSOR_RESTING)
        cur->state = RSQ_CURSOR_BUSY;
    else if (cur->state == RSQ_CURSOR_BUSY)
        code = rsq_error_set(err, RSQ_EMISUSE, "another thread reads the cursor");
    else if (!cur->finished) {
        code = (rsq_code)cur->why.code;
        if (err)
            *err = cur->why;
    }
    rsq_mutex_unlock(&cur->mu);
    return code;
}

static rsq_code take_chunk(rsq_cursor *cur, rsq_shape shape, rsq_result **out, rsq_scan_left *left,
                           rsq_error *err)
{
    rsq_conn *conn = cur->lease.conn;
    rsq_code code;
    rsq_stop stop;

    if (cur->deadline_ns == RSQ_NO_DEADLINE)
        return rsq_conn_scan_next(conn, &cur->request, cur->chunk_rows, shape, out, left, err);
    rsq_stop_init(&stop, &cur->core->timer, rsq_ms_until(cur->deadline_ns), NULL);
    if (rsq_stop_enter(&stop, conn)) {
        code = rsq_conn_scan_next(conn, &cur->request, cur->chunk_rows, shape, out, left, err);
        rsq_stop_leave(&stop);
    } else {
        code = RSQ_ECANCELLED; /* the deadline came first */
    }
    /*
     * An interrupt at the end of a chunk is seen by the next one only, since the
     * statement between them is not at its end: it is the deadline in any case.
     */
    if (code == RSQ_ECANCELLED)
        code = rsq_stop_error(RSQ_ETIMEOUT, err);
    rsq_stop_detach(&stop);
    rsq_stop_fini(&stop);
    return code;
}

rsq_code rsq_cursor_run(rsq_cursor *cur, rsq_shape shape, rsq_result **out, rsq_error *err)
{
    rsq_scan_left left = RSQ_SCAN_LAST;
    rsq_code code;
    rsq_result *r = NULL;
    rsq_error why = {0};
    bool finished;

    code = enter(cur, &finished, err);

    if (code == RSQ_OK && finished)
        *out = NULL;
    if (code != RSQ_OK || finished)
        return code;
    /* BUSY keeps the core: a database that closes waits for its last cursor. */
    code = take_chunk(cur, shape, &r, &left, &why);
    if (code != RSQ_OK && err)
        *err = why;
    (void)rsq_cursor_leave(cur, code == RSQ_OK && left != RSQ_SCAN_MORE, &why);
    if (code != RSQ_OK)
        return code;
    if (left == RSQ_SCAN_EMPTY) {
        rsq_result_unref(r);
        r = NULL;
    }
    *out = r;
    return RSQ_OK;
}

void rsq_cursor_finish(rsq_cursor *cur)
{
    rsq_error why;
    bool mine;

    (void)rsq_error_set(&why, RSQ_ECLOSED, "the cursor is closed");
    rsq_mutex_lock(&cur->mu);
    mine = end_locked(cur, &why);
    while (!mine && cur->state == RSQ_CURSOR_ENDING)
        (void)rsq_cond_wait_until(&cur->ended, &cur->mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&cur->mu);
    if (mine)
        give_back(cur, true);
    free_cursor(cur);
}
