#include "exec/begin.h"

#include <assert.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/graveyard.h"

/* --- handles that were given up --- */

static rsq_graveyard graveyard = RSQ_GRAVEYARD_INIT;

void rsq_begun_unref(rsq_begun *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    rsq_cond_fini(&b->ended);
    rsq_mutex_fini(&b->mu);
    rsq_free(b);
}

/* --- the core's place for the one that has the turn --- */

/* Of a client that closes it is told to end at once. */
static void enlist(rsq_begun *b)
{
    rsq_begins *bs = &b->tx.core->begins;

    rsq_mutex_lock(&bs->mu);
    assert(!bs->current);
    bs->current = b;
    if (rsq_client_is_closing(b->tx.client))
        (void)rsq_error_set(&b->why, RSQ_ECLOSED, "the database is closed");
    rsq_mutex_unlock(&bs->mu);
}

/* Before the turn is given on: the next one may be another of these. */
static void delist(rsq_begun *b)
{
    rsq_begins *bs = &b->tx.core->begins;

    atomic_store_explicit(&bs->thread, 0, memory_order_relaxed);
    rsq_mutex_lock(&bs->mu);
    bs->current = NULL;
    bs->ending++;
    rsq_mutex_unlock(&bs->mu);
}

/* The last that is done with the core. */
static void let_core_go(rsq_core *core)
{
    rsq_begins *bs = &core->begins;

    rsq_mutex_lock(&bs->mu);
    if (--bs->ending == 0)
        rsq_cond_broadcast(&bs->none);
    rsq_mutex_unlock(&bs->mu);
}

rsq_code rsq_begun_check_wait(const rsq_core *core, rsq_error *err)
{
    if (atomic_load_explicit(&core->begins.thread, memory_order_relaxed) != rsq_thread_self())
        return RSQ_OK;
    return rsq_error_set(
        err, RSQ_EMISUSE,
        "this thread has begun a transaction: the call would wait for it, and so for itself");
}

/* --- ending --- */

/* The transaction is over: the turn is the next one's. From ENDING to ENDED. */
static void give_back(rsq_begun *b)
{
    rsq_core *core = b->tx.core;

    rsq_timer_remove(&core->timer, &b->alarm);
    delist(b);
    rsq_writer_release(&core->writer);
    let_core_go(core);
    rsq_mutex_lock(&b->mu);
    assert(b->state == RSQ_BEGUN_ENDING);
    b->state = RSQ_BEGUN_ENDED;
    rsq_cond_broadcast(&b->ended);
    rsq_mutex_unlock(&b->mu);
}

static void roll_back(rsq_begun *b)
{
    rsq_conn_rollback(b->tx.core->writer.conn);
    give_back(b);
}

/* Have it end with `code`. True: it rested, is ENDING now, and the caller rolls back. */
static bool end_locked(rsq_begun *b, rsq_code code, const char *text)
{
    if (b->state > RSQ_BEGUN_BUSY)
        return false;
    if (b->why.code == 0)
        (void)rsq_error_set(&b->why, code, "%s", text);
    if (b->state == RSQ_BEGUN_BUSY)
        return false;
    b->state = RSQ_BEGUN_ENDING;
    return true;
}

static int64_t ring(rsq_timer_entry *entry)
{
    rsq_begun *b = (rsq_begun *)(void *)((char *)entry - offsetof(rsq_begun, alarm));
    int64_t idle_ns = (int64_t)b->idle_ms * 1000000;
    int64_t again = RSQ_NO_DEADLINE;
    int64_t now = rsq_now_ns();
    bool mine = false;

    rsq_mutex_lock(&b->mu);
    if (b->state == RSQ_BEGUN_BUSY)
        again = now + idle_ns; /* what runs is not idle */
    else if (b->rests_ns + idle_ns > now)
        again = b->rests_ns + idle_ns;
    else
        mine = end_locked(b, RSQ_ETIMEOUT,
                          "the transaction was left idle for longer than its limit, and was rolled back");
    rsq_mutex_unlock(&b->mu);
    if (mine)
        roll_back(b);
    return mine ? RSQ_NO_DEADLINE : again;
}

void rsq_begins_end(rsq_core *core, const rsq_client *client)
{
    rsq_begins *bs = &core->begins;
    bool mine = false;
    rsq_begun *b;

    rsq_mutex_lock(&bs->mu);
    b = bs->current;
    if (b && b->tx.client == client) {
        rsq_mutex_lock(&b->mu);
        mine = end_locked(b, RSQ_ECLOSED, "the database was closed, and the transaction rolled back");
        rsq_mutex_unlock(&b->mu);
    }
    rsq_mutex_unlock(&bs->mu);
    if (mine)
        roll_back(b);
}

void rsq_begins_wait(rsq_core *core, const rsq_client *client)
{
    rsq_begins *bs = &core->begins;

    rsq_mutex_lock(&bs->mu);
    while ((bs->current && bs->current->tx.client == client) || bs->ending > 0)
        (void)rsq_cond_wait_until(&bs->none, &bs->mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&bs->mu);
}

/* --- calls on it --- */

static rsq_code has_ended(rsq_error *err)
{
    return rsq_error_set(err, RSQ_EMISUSE, "the transaction has ended");
}

static void begin_call_locked(rsq_begun *b, uintptr_t self)
{
    uintptr_t began = atomic_load_explicit(&b->tx.core->begins.thread, memory_order_relaxed);

    b->state = RSQ_BEGUN_BUSY;
    b->busy_thread = self;
    b->calls = 1;
    /* It is handed around: the thread that began it may wait for another one to end it. */
    if (began != self && began != 0)
        atomic_store_explicit(&b->tx.core->begins.thread, 0, memory_order_relaxed);
}

rsq_code rsq_begun_enter(rsq_begun *b, rsq_error *err)
{
    uintptr_t self = rsq_thread_self();
    rsq_code code = RSQ_OK;

    rsq_mutex_lock(&b->mu);
    if (b->state == RSQ_BEGUN_RESTING)
        begin_call_locked(b, self);
    else if (b->state == RSQ_BEGUN_BUSY && b->busy_thread == self)
        b->calls++;
    else if (b->state == RSQ_BEGUN_BUSY)
        code = rsq_error_set(err, RSQ_EMISUSE, "another thread is in a call on the transaction");
    else if (b->given_up)
        code = has_ended(err);
    else {
        code = (rsq_code)b->why.code;
        if (err)
            *err = b->why;
    }
    rsq_mutex_unlock(&b->mu);
    return code;
}

void rsq_begun_leave(rsq_begun *b)
{
    /* BUSY: the connection is this thread's. */
    bool lost = !rsq_conn_in_transaction(b->tx.core->writer.conn);
    bool end;

    rsq_mutex_lock(&b->mu);
    assert(b->state == RSQ_BEGUN_BUSY);
    b->calls--;
    end = b->calls == 0 && (lost || b->why.code != 0);
    if (end) {
        b->lost = lost;
        if (lost)
            (void)rsq_error_set(&b->why, RSQ_EMISUSE, "SQLite has rolled the transaction back");
        b->state = RSQ_BEGUN_ENDING;
    } else if (b->calls == 0) {
        b->state = RSQ_BEGUN_RESTING;
        b->rests_ns = rsq_now_ns();
        rsq_timer_add(&b->tx.core->timer, &b->alarm, b->rests_ns + (int64_t)b->idle_ms * 1000000);
    }
    rsq_mutex_unlock(&b->mu);
    if (end)
        roll_back(b);
}

/* --- beginning --- */

static rsq_begun *make_handle(rsq_core *core, const rsq_client *client, uint32_t idle_ms)
{
    rsq_begun *b = rsq_alloc_zero(sizeof *b);

    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->tx.core = core;
    b->tx.client = client;
    b->tx.begun = b;
    b->idle_ms = idle_ms;
    b->alarm.due = ring;
    rsq_mutex_init(&b->mu);
    rsq_cond_init(&b->ended);
    return b;
}

static const char holder_name[] = "a transaction (rsq_begin)";

/* With the turn held and the transaction begun; RESTING afterwards. */
static void hand_over(rsq_begun *b, bool moves)
{
    /* Listed while it is BUSY, so that nobody ends it before its alarm is set. */
    begin_call_locked(b, rsq_thread_self());
    if (!moves)
        atomic_store_explicit(&b->tx.core->begins.thread, b->busy_thread, memory_order_relaxed);
    enlist(b);
    rsq_begun_leave(b);
}

static rsq_code acquire_and_begin(rsq_begun *b, bool moves, uint32_t origin, uint32_t timeout_ms,
                                  rsq_error *err)
{
    rsq_core *core = b->tx.core;
    rsq_code code = rsq_core_take_turn(core, b->tx.client, holder_name, sizeof holder_name - 1,
                                       rsq_core_timeout(core, timeout_ms), err);

    if (code != RSQ_OK)
        return code;
    code = rsq_conn_begin(core->writer.conn, origin, err);
    if (code != RSQ_OK)
        rsq_writer_release(&core->writer);
    else
        hand_over(b, moves);
    return code;
}

rsq_code rsq_begun_start(rsq_core *core, const rsq_client *client, bool moves, uint32_t origin,
                         uint32_t idle_ms, uint32_t timeout_ms, rsq_tx **out, rsq_error *err)
{
    rsq_begun *b;
    rsq_code code = rsq_core_may_write(client, err);

    if (code != RSQ_OK)
        return code;
    if (rsq_tx_here(core))
        return rsq_error_set(err, RSQ_EMISUSE,
                             "a transaction runs on this thread: nest in it with rsq_tx_transaction()");
    code = rsq_timer_ensure(&core->timer, err);
    if (code != RSQ_OK)
        return code;
    b = make_handle(core, client, idle_ms);
    if (!b)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    code = acquire_and_begin(b, moves, origin, timeout_ms, err);
    if (code != RSQ_OK) {
        rsq_begun_unref(b);
        return code;
    }
    *out = &b->tx;
    return RSQ_OK;
}

rsq_code rsq_begun_adopt(rsq_core *core, const rsq_client *client, uint32_t idle_ms, rsq_tx **out,
                         rsq_error *err)
{
    rsq_begun *b = make_handle(core, client, idle_ms);

    if (!b) {
        rsq_conn_rollback(core->writer.conn);
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    }
    /* The name that it has now goes with the op. */
    rsq_turn_rename(&core->writer.turn, holder_name, sizeof holder_name - 1);
    *out = &b->tx;
    hand_over(b, true);
    return RSQ_OK;
}

rsq_code rsq_begun_ask(rsq_begun *b)
{
    rsq_code code = RSQ_OK;

    rsq_mutex_lock(&b->mu);
    /* From ENDING on the core may go. */
    if (b->state >= RSQ_BEGUN_ENDING)
        code = b->given_up || b->why.code == 0 ? RSQ_EMISUSE : (rsq_code)b->why.code;
    else
        rsq_client_asked((rsq_client *)(uintptr_t)b->tx.client);
    if (code == RSQ_OK) {
        b->asked++;
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
        /* The writer's thread uses it from here on, and may end it. */
        atomic_store_explicit(&b->tx.core->begins.thread, 0, memory_order_relaxed);
    }
    rsq_mutex_unlock(&b->mu);
    return code;
}

void rsq_begun_ran(rsq_begun *b)
{
    rsq_mutex_lock(&b->mu);
    b->asked--;
    rsq_mutex_unlock(&b->mu);
}

void rsq_begun_unask(rsq_begun *b)
{
    rsq_core *core = b->tx.core;
    rsq_client *client = (rsq_client *)(uintptr_t)b->tx.client;

    rsq_begun_ran(b);
    rsq_begun_unref(b);
    rsq_writer_answered(&core->writer, client);
}

/* --- the caller's end of it --- */

/* Give the handle up. RSQ_OK: `*mine` says whether the caller ends it, or it had ended. */
static rsq_code give_up(rsq_begun *b, bool overtakes, bool *mine, rsq_error *err)
{
    rsq_code code = RSQ_OK;

    *mine = false;
    rsq_mutex_lock(&b->mu);
    if (b->given_up) {
        code = has_ended(err);
    } else if (b->state == RSQ_BEGUN_BUSY) {
        code = rsq_error_set(err, RSQ_EMISUSE, "a call on the transaction runs: it cannot end now");
    } else if (!overtakes && b->state == RSQ_BEGUN_RESTING && b->asked > 0) {
        code =
            rsq_error_set(err, RSQ_EMISUSE, "asynchronous calls on the transaction wait: it cannot end now");
    } else {
        b->given_up = true;
        *mine = b->state == RSQ_BEGUN_RESTING;
        if (*mine)
            b->state = RSQ_BEGUN_ENDING;
        while (!*mine && b->state == RSQ_BEGUN_ENDING)
            (void)rsq_cond_wait_until(&b->ended, &b->mu, RSQ_NO_DEADLINE);
    }
    rsq_mutex_unlock(&b->mu);
    return code;
}

/* How it ended before it could be committed. */
static rsq_code ended_before(rsq_begun *b, rsq_error *err)
{
    if (b->lost)
        return rsq_tx_lost(&b->tx, err);
    if (err)
        *err = b->why;
    return (rsq_code)b->why.code;
}

rsq_code rsq_begun_commit(rsq_begun *b, bool in_line, rsq_error *err)
{
    bool mine;
    rsq_code code = give_up(b, in_line, &mine, err);

    if (code != RSQ_OK)
        return code;
    if (mine) {
        code = rsq_conn_commit(b->tx.core->writer.conn, err);
        give_back(b);
    } else {
        code = ended_before(b, err);
    }
    rsq_begun_unref(rsq_graveyard_bury(&graveyard, b));
    return code;
}

rsq_code rsq_begun_rollback(rsq_begun *b, rsq_error *err)
{
    bool mine;
    rsq_code code = give_up(b, true, &mine, err);

    if (code != RSQ_OK)
        return code;
    if (mine)
        roll_back(b);
    rsq_begun_unref(rsq_graveyard_bury(&graveyard, b));
    return RSQ_OK;
}
