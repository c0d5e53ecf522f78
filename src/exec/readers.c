#include "exec/readers.h"

#include <assert.h>

#include "base/error.h"
#include "base/profile.h"

void rsq_readers_init(rsq_readers *rs, const rsq_conn_config *config, unsigned count, uint32_t keep_ms,
                      uint32_t age_ms)
{
    assert(count >= 1 && count <= RSQ_READERS_MAX);
    *rs = (rsq_readers){.config = config, .count = count, .keep_ms = keep_ms, .age_ms = age_ms};
    rs->direct = !(config->flags & RSQ_OPEN_NO_SHORTCUTS) && !age_ms;
    rsq_spare_init(&rs->spare);
    atomic_init(&rs->keep, !(config->flags & RSQ_OPEN_NO_KEPT_SNAPSHOTS));
    atomic_init(&rs->paused, false);
    rsq_cond_init(&rs->quiet);
    rsq_mutex_init(&rs->mu);
    rsq_cond_init(&rs->keeper_wake);
    for (unsigned i = count; i-- > 0;) {
        rs->places[i].next = rs->empty;
        rs->places[i].listed = true;
        rs->empty = &rs->places[i];
    }
    if (rs->direct)
        rsq_spare_open(&rs->spare);
}

/* Take the first that `*at` points to out of its list; NULL: there is none. */
static rsq_reader *unlist_locked(rsq_readers *rs, rsq_reader **at)
{
    rsq_reader *r = *at;

    if (!r)
        return NULL;
    *at = r->next;
    r->listed = false;
    rs->leased++;
    return r;
}

static bool is_paused(const rsq_readers *rs)
{
    return atomic_load_explicit(&rs->paused, memory_order_relaxed);
}

/* To whoever waits, unless leases pause; else into its list. */
static void give_back_locked(rsq_readers *rs, rsq_reader *r)
{
    rsq_reader **list = r->conn ? &rs->idle : &rs->empty;

    if (!is_paused(rs) && rsq_line_grant_locked(&rs->waiting, r))
        return;
    r->next = *list;
    *list = r;
    r->listed = true;
    rs->leased--;
    /* Only a pause, and who watches the oldest, wait for that. */
    if ((is_paused(rs) && rs->leased == 0) || rs->watchers > 0)
        rsq_cond_broadcast(&rs->quiet);
}

/* From here on, until it is opened, every lease begins and ends under the mutex. */
static void shut_spare_locked(rsq_readers *rs)
{
    rsq_reader *r = rsq_spare_shut(&rs->spare);

    if (r)
        give_back_locked(rs, r);
}

/* Unless somebody waits for a reader, or for leases to end, or must hear of the next snapshot that is kept.
 */
static void open_spare_locked(rsq_readers *rs)
{
    bool shut = rs->stopping || is_paused(rs) || rs->watchers > 0 || rs->keeper_asleep ||
                !rsq_line_empty(&rs->waiting);

    if (rs->direct && !shut)
        rsq_spare_open(&rs->spare);
}

static void unlock(rsq_readers *rs)
{
    open_spare_locked(rs);
    rsq_mutex_unlock(&rs->mu);
}

/* The end of a lease. */
static void return_locked(rsq_readers *rs, rsq_reader *r)
{
    rsq_holder_clear(&r->holder);
    r->too_old = false;
    give_back_locked(rs, r);
}

static bool any_kept_locked(const rsq_readers *rs)
{
    for (const rsq_reader *r = rs->idle; r; r = r->next) {
        if (r->kept)
            return true;
    }
    return false;
}

/* An idle reader, or a place to open one in, now leased; NULL: none. */
static rsq_reader *take_free_locked(rsq_readers *rs)
{
    rsq_reader *r = unlist_locked(rs, &rs->idle);

    return r ? r : unlist_locked(rs, &rs->empty);
}

/* Take one idle reader whose snapshot was kept for `ticks` ticks or more out of the list. */
static rsq_reader *take_kept_locked(rsq_readers *rs, uint32_t ticks)
{
    for (rsq_reader **at = &rs->idle; *at; at = &(*at)->next) {
        if ((*at)->kept && rs->tick - (*at)->tick >= ticks) {
            rsq_reader *r = unlist_locked(rs, at);

            r->kept = false;
            return r;
        }
    }
    return NULL;
}

/* The mutex is not held while SQLite ends the transaction; the reader counts as leased meanwhile. */
static void let_go_locked(rsq_readers *rs, uint32_t ticks)
{
    rsq_reader *r;

    shut_spare_locked(rs);
    while ((r = take_kept_locked(rs, ticks)) != NULL) {
        rsq_conn *dead = NULL;

        rsq_mutex_unlock(&rs->mu);
        if (!rsq_conn_snapshot_close(r->conn)) {
            dead = r->conn;
            r->conn = NULL;
        }
        rsq_conn_close(dead);
        rsq_mutex_lock(&rs->mu);
        r->lost = dead != NULL;
        give_back_locked(rs, r);
    }
}

static void *keeper_main(void *readers)
{
    rsq_readers *rs = readers;
    /* Twice in the time: an idle snapshot lives at most as long, and at least half of it. */
    uint32_t look_ms = rs->keep_ms > 1 ? rs->keep_ms / 2 : 1;

    rsq_mutex_lock(&rs->mu);
    while (!rs->stopping) {
        shut_spare_locked(rs);
        rs->keeper_asleep = !any_kept_locked(rs);
        open_spare_locked(rs);
        if (rs->keeper_asleep)
            (void)rsq_cond_wait_until(&rs->keeper_wake, &rs->mu, RSQ_NO_DEADLINE);
        else
            (void)rsq_cond_wait_until(&rs->keeper_wake, &rs->mu, rsq_deadline_ns(look_ms));
        rs->tick++;
        let_go_locked(rs, 2);
    }
    rsq_mutex_unlock(&rs->mu);
    return NULL;
}

static void wake_keeper_locked(rsq_readers *rs)
{
    if (!rs->keeper_asleep)
        return;
    rs->keeper_asleep = false;
    rsq_cond_signal(&rs->keeper_wake);
}

/* Before the first snapshot is kept. Without a keeper none is. */
static void start_keeper(rsq_readers *rs)
{
    rsq_mutex_lock(&rs->mu);
    if (atomic_load_explicit(&rs->keep, memory_order_relaxed) && !rs->keeper_started && !rs->stopping) {
        rs->keeper_started = rsq_thread_start(&rs->keeper, keeper_main, rs) == 0;
        atomic_store_explicit(&rs->keep, rs->keeper_started, memory_order_relaxed);
    }
    rsq_mutex_unlock(&rs->mu);
}

void rsq_readers_stop(rsq_readers *rs)
{
    rsq_mutex_lock(&rs->mu);
    rs->stopping = true;
    shut_spare_locked(rs);
    rsq_line_dismiss_locked(&rs->waiting, NULL);
    rsq_cond_signal(&rs->keeper_wake);
    rsq_mutex_unlock(&rs->mu);
}

void rsq_readers_dismiss(rsq_readers *rs, const rsq_client *client)
{
    rsq_mutex_lock(&rs->mu);
    rsq_line_dismiss_locked(&rs->waiting, client);
    rsq_cond_broadcast(&rs->quiet);
    unlock(rs);
}

void rsq_readers_fini(rsq_readers *rs)
{
    assert(rs->stopping);
    if (rs->keeper_started)
        rsq_thread_join(rs->keeper);
    for (unsigned i = 0; i < rs->count; i++) {
        assert(rs->places[i].listed);
        rsq_conn_close(rs->places[i].conn);
    }
    rsq_cond_fini(&rs->keeper_wake);
    rsq_cond_fini(&rs->quiet);
    rsq_mutex_fini(&rs->mu);
}

static void describe_locked(const rsq_readers *rs, char *out, size_t size)
{
    out[0] = '\0';
    for (unsigned i = 0; i < rs->count; i++)
        rsq_holder_describe(&rs->places[i].holder, out, size);
}

static rsq_code none_in_time_locked(const rsq_readers *rs, const rsq_client *client, rsq_error *err)
{
    char holders[320];

    if (rs->stopping || rsq_client_is_closing(client))
        return rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
    describe_locked(rs, holders, sizeof holders);
    /* Nobody is named when the last one came back just now. */
    return rsq_error_set(err, RSQ_ETIMEOUT, "no reader was free in time%s%s", holders[0] ? "; held by " : "",
                         holders);
}

static rsq_code open_place(rsq_readers *rs, rsq_reader *r, rsq_error *err)
{
    rsq_code code = rsq_conn_open(rs->config, RSQ_CONN_READER, &r->conn, err);

    if (code == RSQ_OK)
        start_keeper(rs);
    rsq_mutex_lock(&rs->mu);
    if (code != RSQ_OK) {
        return_locked(rs, r);
    } else if (r->lost) {
        r->lost = false;
        rs->reopened++;
    }
    unlock(rs);
    return code;
}

uint64_t rsq_readers_reopened(rsq_readers *rs)
{
    uint64_t reopened;

    rsq_mutex_lock(&rs->mu);
    reopened = rs->reopened;
    rsq_mutex_unlock(&rs->mu);
    return reopened;
}

/* In line, since there was none to take. */
static rsq_reader *wait_locked(rsq_readers *rs, const rsq_client *client, uint32_t timeout_ms)
{
    int64_t began = rsq_profile_begin();
    rsq_reader *r;

    if (rsq_profile_on()) {
        rsq_profile_add(is_paused(rs) ? RSQ_COUNT_PARKED_PAUSED : RSQ_COUNT_PARKED_TOTAL, 1);
        rsq_profile_raise(RSQ_COUNT_PARKED_LONGEST_QUEUE, rsq_line_length(&rs->waiting) + 1);
    }
    r = rsq_line_wait_locked(&rs->waiting, &rs->mu, client, timeout_ms);
    rsq_profile_end(RSQ_TIME_READER_WAIT, began);
    return r;
}

/* While somebody waits the spare stays shut, so that who waits longest is the next. */
static rsq_reader *take_or_wait_locked(rsq_readers *rs, const rsq_client *client, uint32_t timeout_ms)
{
    rsq_reader *r;

    if (rs->stopping || rsq_client_is_closing(client))
        return NULL;
    shut_spare_locked(rs);
    r = is_paused(rs) ? NULL : take_free_locked(rs);
    return r ? r : wait_locked(rs, client, timeout_ms);
}

static rsq_code acquire_listed(rsq_readers *rs, const rsq_client *client, const char *sql, size_t sql_len,
                               uint32_t timeout_ms, rsq_reader **out, rsq_error *err)
{
    rsq_code code = RSQ_OK;
    rsq_reader *r;

    rsq_mutex_lock(&rs->mu);
    r = take_or_wait_locked(rs, client, timeout_ms);
    if (r) {
        r->kept = false;
        r->lease = ++rs->leases;
        rsq_holder_set(&r->holder, sql, sql_len);
        /* One that was handed on was never listed: only here is the lease before it seen to be over. */
        if (rs->watchers > 0)
            rsq_cond_broadcast(&rs->quiet);
    } else {
        code = none_in_time_locked(rs, client, err);
    }
    unlock(rs);
    if (code == RSQ_OK && !r->conn)
        code = open_place(rs, r, err);
    if (code == RSQ_OK)
        *out = r;
    return code;
}

/* One more that nobody else counts just now. */
static void count_direct(rsq_reader *r)
{
    uint64_t direct = atomic_load_explicit(&r->direct, memory_order_relaxed);

    atomic_store_explicit(&r->direct, direct + 1, memory_order_relaxed);
}

rsq_code rsq_readers_acquire(rsq_readers *rs, const rsq_client *client, const char *sql, size_t sql_len,
                             uint32_t timeout_ms, rsq_reader **out, rsq_error *err)
{
    rsq_reader *r = rsq_client_is_closing(client) ? NULL : rsq_spare_take(&rs->spare);

    if (!r)
        return acquire_listed(rs, client, sql, sql_len, timeout_ms, out, err);
    r->kept = false;
    count_direct(r);
    rsq_holder_set(&r->holder, sql, sql_len);
    *out = r;
    return RSQ_OK;
}

static void release_listed(rsq_readers *rs, rsq_reader *r, rsq_conn *dead)
{
    rsq_conn_close(dead);
    rsq_mutex_lock(&rs->mu);
    r->lost = dead != NULL;
    if (r->kept)
        wake_keeper_locked(rs);
    return_locked(rs, r);
    unlock(rs);
}

/* Before its connection may be closed: nobody interrupts it from here on. */
static void stop_limiting(rsq_readers *rs, rsq_reader *r)
{
    rsq_mutex_lock(&rs->mu);
    r->limited = false;
    rsq_mutex_unlock(&rs->mu);
}

void rsq_readers_release(rsq_readers *rs, rsq_reader *r)
{
    bool keep =
        atomic_load_explicit(&rs->keep, memory_order_relaxed) && !is_paused(rs) && rsq_conn_may_keep(r->conn);
    rsq_conn *dead = NULL;

    if (rs->age_ms)
        stop_limiting(rs, r);
    if (rsq_conn_broken(r->conn) || (!keep && !rsq_conn_snapshot_close(r->conn))) {
        dead = r->conn;
        r->conn = NULL;
    }
    r->kept = r->conn && keep && rsq_conn_in_transaction(r->conn);
    r->tick = atomic_load_explicit(&rs->tick, memory_order_relaxed);
    atomic_store_explicit(&r->statements, r->conn ? rsq_conn_statements(r->conn) : 0, memory_order_relaxed);
    if (r->conn)
        rsq_holder_clear(&r->holder);
    if (!r->conn || !rsq_spare_put(&rs->spare, r))
        release_listed(rs, r, dead);
}

void rsq_readers_let_go(rsq_readers *rs)
{
    rsq_mutex_lock(&rs->mu);
    let_go_locked(rs, 0);
    unlock(rs);
}

/* How often who is too old is looked for, and told again: SQLite forgets an interrupt between two statements.
 */
#define LOOK_MS 2

/*
 * While leases pause: what runs too long is stopped. The connection is its
 * holder's, but while the lease lasts, which ends under the mutex, it may be
 * interrupted. Returns when to look again.
 */
static int64_t cancel_old_locked(rsq_readers *rs)
{
    int64_t limit_ns = (int64_t)rs->age_ms * 1000000;

    if (!rs->age_ms)
        return RSQ_NO_DEADLINE;
    for (unsigned i = 0; i < rs->count; i++) {
        rsq_reader *r = &rs->places[i];

        if (!r->limited || rsq_holder_age_ns(&r->holder) < limit_ns)
            continue;
        r->too_old = true;
        rsq_conn_interrupt(r->conn);
    }
    return rsq_deadline_ns(LOOK_MS);
}

void rsq_readers_limit_age(rsq_readers *rs, rsq_reader *r)
{
    rsq_mutex_lock(&rs->mu);
    r->limited = true;
    rsq_mutex_unlock(&rs->mu);
}

bool rsq_readers_was_too_old(rsq_readers *rs, const rsq_reader *r)
{
    bool was;

    rsq_mutex_lock(&rs->mu);
    was = r->too_old;
    rsq_mutex_unlock(&rs->mu);
    return was;
}

bool rsq_readers_pause(rsq_readers *rs, uint32_t timeout_ms)
{
    int64_t deadline_ns = rsq_deadline_ns(timeout_ms);
    bool in_time = true;

    rsq_mutex_lock(&rs->mu);
    atomic_store_explicit(&rs->paused, true, memory_order_relaxed);
    let_go_locked(rs, 0);
    while (rs->leased > 0 && in_time) {
        int64_t look_ns = cancel_old_locked(rs);

        if (look_ns > deadline_ns)
            look_ns = deadline_ns;
        in_time = rsq_cond_wait_until(&rs->quiet, &rs->mu, look_ns) || look_ns < deadline_ns;
    }
    /* One that came back just when the pause began may have kept its snapshot. */
    let_go_locked(rs, 0);
    in_time = rs->leased == 0;
    rsq_mutex_unlock(&rs->mu);
    return in_time;
}

void rsq_readers_resume(rsq_readers *rs)
{
    rsq_reader *r;

    rsq_mutex_lock(&rs->mu);
    atomic_store_explicit(&rs->paused, false, memory_order_relaxed);
    while (!rsq_line_empty(&rs->waiting) && (r = take_free_locked(rs)) != NULL)
        (void)rsq_line_grant_locked(&rs->waiting, r);
    unlock(rs);
}

static bool any_before_locked(const rsq_readers *rs, uint64_t lease)
{
    for (unsigned i = 0; i < rs->count; i++) {
        if (!rs->places[i].listed && rs->places[i].lease <= lease)
            return true;
    }
    return false;
}

bool rsq_readers_outlast(rsq_readers *rs, const rsq_client *client, int64_t deadline_ns)
{
    bool in_time = true;
    uint64_t last;

    rsq_mutex_lock(&rs->mu);
    shut_spare_locked(rs);
    last = rs->leases;
    rs->watchers++;
    while (any_before_locked(rs, last) && in_time && !rsq_client_is_closing(client))
        in_time = rsq_cond_wait_until(&rs->quiet, &rs->mu, deadline_ns);
    in_time = !any_before_locked(rs, last);
    rs->watchers--;
    unlock(rs);
    return in_time;
}

void rsq_readers_describe(rsq_readers *rs, char *out, size_t size)
{
    rsq_mutex_lock(&rs->mu);
    shut_spare_locked(rs);
    describe_locked(rs, out, size);
    unlock(rs);
}

static void count_place(const rsq_reader *r, rsq_readers_figures *out)
{
    int64_t age_ns = rsq_holder_age_ns(&r->holder);

    out->kept += r->listed && r->kept;
    out->statements += atomic_load_explicit(&r->statements, memory_order_relaxed);
    out->leases += atomic_load_explicit(&r->direct, memory_order_relaxed);
    if (age_ns < 0 || (out->oldest[0] && age_ns <= out->oldest_ns))
        return;
    out->oldest_ns = age_ns;
    rsq_holder_copy(&r->holder, out->oldest, sizeof out->oldest);
}

void rsq_readers_count(rsq_readers *rs, rsq_readers_figures *out)
{
    *out = (rsq_readers_figures){0};
    rsq_mutex_lock(&rs->mu);
    shut_spare_locked(rs);
    for (unsigned i = 0; i < rs->count; i++)
        count_place(&rs->places[i], out);
    out->leased = rs->leased;
    out->open = rs->leased;
    for (const rsq_reader *r = rs->idle; r; r = r->next)
        out->open++;
    out->waiting = rsq_line_length(&rs->waiting);
    out->leases += rs->leases;
    out->replaced = rs->reopened;
    unlock(rs);
}
