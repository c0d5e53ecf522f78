#include "exec/writer.h"

#include <assert.h>
#include <stddef.h>

#include "base/error.h"
#include "base/profile.h"

/*
 * Of a group whose commit took at least so long those who were answered are waited
 * for: it takes longer to wake them. At most for GATHER_MAX_NS; and if fewer than
 * half of them came, not again for so many groups.
 */
#define GATHER_COMMIT_NS 50000
#define GATHER_MAX_NS 2000000
#define GATHER_SKIPPED 16

static rsq_member *take_another(rsq_members *from);
static void drain(rsq_job *job);

void rsq_writer_init(rsq_writer *w, const rsq_conn_config *config, rsq_conn *conn,
                     rsq_checkpointer *checkpointer, rsq_commit_sink sink)
{
    *w = (rsq_writer){.config = config, .sink = sink, .checkpointer = checkpointer, .conn = conn};
    atomic_init(&w->commits, 0);
    w->groups = !(config->flags & RSQ_OPEN_NO_GROUP_COMMIT);
    w->statements.take = take_another;
    w->drain.run = drain;
    rsq_mutex_init(&w->mu);
    rsq_cond_init(&w->answered);
    rsq_cond_init(&w->gather.all_back);
    atomic_init(&w->looked_at, false);
    atomic_init(&w->look_for_ns, 0);
    rsq_workers_init(&w->workers, 1);
}

void rsq_writer_finish(rsq_writer *w)
{
    rsq_workers_fini(&w->workers);
}

void rsq_writer_fini(rsq_writer *w)
{
    assert(!w->held);
    rsq_conn_close(w->conn);
    rsq_cond_fini(&w->gather.all_back);
    rsq_cond_fini(&w->answered);
    rsq_mutex_fini(&w->mu);
}

/* --- what follows a commit, turn held --- */

static void note_log(rsq_writer *w)
{
    if (w->checkpointer)
        rsq_checkpointer_note(w->checkpointer, w->conn);
}

/* Tell the sink. False: nothing was committed. */
static bool publish(rsq_writer *w)
{
    rsq_changes changes;

    if (!rsq_conn_take_changes(w->conn, &changes))
        return false;
    atomic_fetch_add_explicit(&w->commits, 1, memory_order_relaxed);
    w->sink.fn(w->sink.ctx, &changes);
    rsq_changes_fini(&changes);
    return true;
}

/* A database in memory lives in its connection, which stays and is mended. */
static void replace_broken(rsq_writer *w)
{
    rsq_changes unknown = {.tables.all = true};
    rsq_conn *fresh;

    if (!w->checkpointer)
        rsq_conn_mend(w->conn);
    if (!rsq_conn_broken(w->conn) || !w->checkpointer ||
        rsq_conn_open(w->config, RSQ_CONN_WRITER, &fresh, NULL) != RSQ_OK)
        return; /* it is tried again at the next turn's begin and end */
    rsq_conn_close(w->conn);
    w->conn = fresh;
    /* Whether the failed commit happened is not known. */
    unknown.commit_seq = atomic_load_explicit(&w->config->seq->newest, memory_order_relaxed);
    w->sink.fn(w->sink.ctx, &unknown);
}

/* --- the turn --- */

static void take_turn_locked(rsq_writer *w, const char *sql, size_t sql_len)
{
    w->held = true;
    w->gather.expected = 0;
    rsq_holder_set(&w->holder, sql, sql_len);
}

/* The turn goes to the first in line. False: that is not a thread, which is woken, but the writer's own. */
static bool pass_on_and_unlock(rsq_writer *w)
{
    rsq_write *first = w->line.first;
    bool is_thread = first && !first->done;

    rsq_holder_clear(&w->holder);
    w->cached = rsq_conn_statements(w->conn);
    w->held = first != NULL;
    if (is_thread)
        first->state = RSQ_WRITE_GRANTED;
    rsq_mutex_unlock(&w->mu);
    if (is_thread)
        rsq_gate_open(&first->gate);
    return is_thread || !first;
}

static void pass_on(rsq_writer *w)
{
    rsq_mutex_lock(&w->mu);
    assert(w->held);
    if (!pass_on_and_unlock(w))
        rsq_workers_submit(&w->workers, &w->drain);
}

static bool is_closed_locked(const rsq_writer *w, const rsq_client *client)
{
    return w->stopping || rsq_client_is_closing(client);
}

static rsq_code not_in_time_locked(const rsq_writer *w, const rsq_client *client, rsq_error *err)
{
    char holder[160] = "";

    if (is_closed_locked(w, client))
        return rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
    rsq_holder_describe(&w->holder, holder, sizeof holder);
    return rsq_error_set(err, RSQ_ETIMEOUT, "the writer was not free in time%s%s",
                         holder[0] ? "; held by " : "", holder);
}

static rsq_code not_in_time(rsq_writer *w, const rsq_client *client, rsq_error *err)
{
    rsq_code code;

    rsq_mutex_lock(&w->mu);
    code = not_in_time_locked(w, client, err);
    rsq_mutex_unlock(&w->mu);
    return code;
}

static void append_locked(rsq_writer *w, rsq_write *write)
{
    write->state = RSQ_WRITE_WAITING;
    rsq_writes_append(&w->line, write);
    if (w->gather.waits && w->line.count >= w->gather.expected)
        rsq_cond_signal(&w->gather.all_back);
}

/*
 * Look for a while whether the gate is open, then sleep. Of those that wait one
 * looks; the others sleep at once, so that the one that runs keeps a core.
 */
static bool wait_until(rsq_writer *w, rsq_gate *gate, int64_t deadline_ns)
{
    rsq_spin spin = {.limit_ns = atomic_load_explicit(&w->look_for_ns, memory_order_relaxed)};
    bool found, in_time;

    if (atomic_exchange_explicit(&w->looked_at, true, memory_order_relaxed))
        return rsq_gate_wait_until(gate, deadline_ns);
    found = rsq_spin_while_zero(&spin, &gate->state);
    atomic_store_explicit(&w->looked_at, false, memory_order_relaxed);
    in_time = rsq_gate_wait_until(gate, deadline_ns);
    if (!found) {
        rsq_spin_slept(&spin, rsq_now_ns());
        atomic_store_explicit(&w->look_for_ns, spin.limit_ns, memory_order_relaxed);
    }
    return in_time;
}

/* The time of a write is over. True: it is out of line; false: it is being run, or has the turn, and its gate
 * will be open. */
static bool give_up(rsq_writer *w, rsq_write *write)
{
    bool waiting;

    rsq_mutex_lock(&w->mu);
    waiting = write->state == RSQ_WRITE_WAITING;
    write->overdue = true;
    if (waiting)
        rsq_writes_remove(&w->line, write);
    rsq_mutex_unlock(&w->mu);
    return waiting;
}

/*
 * Wait in line until there is more to do than to wait: it has the turn, is done, or is out of line (WAITING
 * or DISMISSED).
 */
static rsq_write_state wait_and_unlock(rsq_writer *w, rsq_write *write, uint32_t timeout_ms)
{
    int64_t deadline_ns = rsq_deadline_ns(timeout_ms);
    int64_t began = rsq_profile_begin();
    bool in_time;

    rsq_gate_init(&write->gate);
    append_locked(w, write);
    rsq_mutex_unlock(&w->mu);
    in_time = timeout_ms > 0 && wait_until(w, &write->gate, deadline_ns);
    if (!in_time && !give_up(w, write))
        (void)rsq_gate_wait_until(&write->gate, RSQ_NO_DEADLINE);
    rsq_profile_end(RSQ_TIME_WRITER_WAIT, began);
    return write->state;
}

bool rsq_writer_is_idle(rsq_writer *w)
{
    bool idle;

    rsq_mutex_lock(&w->mu);
    idle = !w->held;
    rsq_mutex_unlock(&w->mu);
    return idle;
}

/* Nothing is written to the client of a write that a thread waits for. */
static rsq_client *unconst(const rsq_client *client)
{
    return (rsq_client *)(uintptr_t)client;
}

rsq_code rsq_writer_acquire(rsq_writer *w, const rsq_client *client, const char *sql, size_t sql_len,
                            uint32_t timeout_ms, rsq_error *err)
{
    rsq_write self = {.kind = RSQ_WRITE_TURN, .client = unconst(client)};
    rsq_code code = RSQ_OK;

    rsq_mutex_lock(&w->mu);
    if (is_closed_locked(w, client)) {
        code = not_in_time_locked(w, client, err);
    } else if (w->held) {
        rsq_write_state state = wait_and_unlock(w, &self, timeout_ms);

        rsq_mutex_lock(&w->mu);
        if (state == RSQ_WRITE_GRANTED)
            (void)rsq_writes_pop(&w->line); /* it is the first */
        else
            code = not_in_time_locked(w, client, err);
    }
    if (code == RSQ_OK)
        take_turn_locked(w, sql, sql_len);
    rsq_mutex_unlock(&w->mu);
    /* Replacing it at the end of the last turn may have failed for the same reason that broke it. */
    if (code == RSQ_OK) {
        w->began_ns = rsq_profile_begin();
        replace_broken(w);
    }
    return code;
}

static void end_turn(rsq_writer *w)
{
    if (publish(w))
        note_log(w);
    replace_broken(w);
    pass_on(w);
}

void rsq_writer_release(rsq_writer *w)
{
    int64_t began = w->began_ns;

    end_turn(w);
    rsq_profile_end(RSQ_TIME_WRITER_REQUEST, began);
}

/* --- statements that stand next to each other --- */

static rsq_write *write_of(rsq_member *m)
{
    return (rsq_write *)(void *)((char *)m - offsetof(rsq_write, member));
}

/* The first in line that is not taken, if it is a statement: it is about to run. NULL: it is not, or there is
 * none. */
static rsq_member *take_statement_locked(rsq_writer *w)
{
    rsq_write *next = w->last_taken ? w->last_taken->next : w->line.first;

    if (!next || next->kind != RSQ_WRITE_STATEMENT)
        return NULL;
    next->state = RSQ_WRITE_TAKEN;
    w->last_taken = next;
    return &next->member;
}

/*
 * One more; and while the lock is held, those behind it that nobody sleeps for. A
 * thread that waits for its statement may still go when its time is over, so that
 * one is taken when it is about to run and not before.
 */
static rsq_member *take_another(rsq_members *from)
{
    rsq_writer *w = (rsq_writer *)(void *)((char *)from - offsetof(rsq_writer, statements));
    rsq_member *m;

    if (w->ahead_at < w->ahead_count)
        return w->ahead[w->ahead_at++];
    w->ahead_at = w->ahead_count = 0;
    rsq_mutex_lock(&w->mu);
    m = take_statement_locked(w);
    while (m && w->ahead_count < RSQ_WRITER_AHEAD && w->last_taken->next && w->last_taken->next->done) {
        rsq_member *next = take_statement_locked(w);

        if (!next)
            break;
        w->ahead[w->ahead_count++] = next;
    }
    rsq_mutex_unlock(&w->mu);
    return m;
}

/* Those that were taken and not run wait again, if their time is not over. */
static void put_back_locked(rsq_writer *w, rsq_member *m)
{
    for (rsq_member *next; m; m = next) {
        rsq_write *write = write_of(m);

        next = m->next;
        write->state = RSQ_WRITE_WAITING;
        if (!write->overdue)
            continue;
        write->state = RSQ_WRITE_DISMISSED;
        rsq_writes_remove(&w->line, write);
        rsq_gate_open(&write->gate);
    }
}

static void count_group_locked(rsq_writer *w, size_t n)
{
    if (n < 2)
        return;
    w->counters.groups++;
    w->counters.members += n;
    rsq_profile_count(RSQ_COUNT_WRITER_GROUPS, 1);
    rsq_profile_count(RSQ_COUNT_WRITER_GROUPED, n);
    rsq_profile_peak(RSQ_COUNT_WRITER_GROUP_LARGEST, n);
}

/* Threads that wait in a loop are back soon after they were answered. */
static void expect_back_locked(rsq_writer *w, size_t threads)
{
    int64_t took_ns = w->statements.commit_ns;

    if (threads < 2 || took_ns < GATHER_COMMIT_NS)
        return;
    if (w->gather.skip > 0) {
        w->gather.skip--;
        return;
    }
    w->gather.expected = w->line.count + threads;
    w->gather.until_ns = rsq_now_ns() + (took_ns < 2 * GATHER_MAX_NS ? took_ns / 2 : GATHER_MAX_NS);
}

/*
 * Before a group begins: wait until those are back whom the last one's commit has
 * answered, at most half as long as that commit took. Else the first to come back
 * would commit alone, and the others wait for it.
 */
static void gather_locked(rsq_writer *w)
{
    size_t here = w->line.count, missing = w->gather.expected - here;
    bool in_time = true;

    if (w->gather.expected <= here)
        return;
    w->gather.waits = true;
    while (w->line.count < w->gather.expected && in_time)
        in_time = rsq_cond_wait_until(&w->gather.all_back, &w->mu, w->gather.until_ns);
    w->gather.waits = false;
    if (2 * (w->line.count - here) < missing)
        w->gather.skip = GATHER_SKIPPED;
}

static void answered(rsq_writer *w, rsq_client *client, uint32_t n)
{
    if (!rsq_client_answered(client, n))
        return;
    /* Its handle closes, and waits for this. */
    rsq_mutex_lock(&w->mu);
    rsq_cond_broadcast(&w->answered);
    rsq_mutex_unlock(&w->mu);
}

void rsq_writer_answered(rsq_writer *w, rsq_client *client)
{
    answered(w, client, 1);
}

void rsq_writer_rename(rsq_writer *w, const char *sql, size_t sql_len)
{
    rsq_mutex_lock(&w->mu);
    assert(w->held);
    rsq_holder_set(&w->holder, sql, sql_len);
    rsq_mutex_unlock(&w->mu);
}

/* Of asynchronous writes that are out of line; it may free them. */
static void call_done(rsq_writer *w, rsq_writes *writes)
{
    rsq_posts posts = {0};

    while (writes->first) {
        rsq_client *client = writes->first->client;
        uint32_t n = 0;

        for (; writes->first && writes->first->client == client; n++) {
            rsq_write *write = rsq_writes_pop(writes);

            write->done(write, &posts);
        }
        rsq_posts_flush(&posts);
        answered(w, client, n);
    }
}

static void call_done_of(rsq_writer *w, rsq_write *write)
{
    rsq_writes one = {0};

    rsq_writes_append(&one, write);
    call_done(w, &one);
}

/* Of threads' writes that are out of line. They may be gone when it is open. */
static void open_gates(const rsq_writes *writes)
{
    for (rsq_write *next, *write = writes->first; write; write = next) {
        next = write->next;
        rsq_gate_open(&write->gate);
    }
}

/*
 * The first `n` are done. They may be gone when they were told, and with them the SQL that names the holder.
 * Threads are woken with no lock held, since they come back for it.
 */
static void answer(rsq_writer *w, rsq_member *m, size_t n)
{
    rsq_writes asynchronous = {0}, threads = {0};

    rsq_mutex_lock(&w->mu);
    count_group_locked(w, n);
    for (; n > 0; n--) {
        rsq_write *write = rsq_writes_pop(&w->line);

        assert(&write->member == m);
        m = m->next;
        write->state = RSQ_WRITE_DONE;
        rsq_writes_append(write->done ? &asynchronous : &threads, write);
    }
    expect_back_locked(w, threads.count);
    put_back_locked(w, m);
    for (; w->ahead_at < w->ahead_count; w->ahead_at++)
        write_of(w->ahead[w->ahead_at])->state = RSQ_WRITE_WAITING;
    w->last_taken = NULL;
    rsq_holder_clear(&w->holder);
    rsq_mutex_unlock(&w->mu);
    open_gates(&threads);
    call_done(w, &asynchronous);
}

/* Run the statement, together with those behind it that may share its commit. */
static void run_statements(rsq_writer *w, rsq_member *first)
{
    int64_t began = rsq_profile_begin();
    size_t n = w->groups ? rsq_conn_execute_group(w->conn, first, &w->statements) : 0;
    bool committed;

    if (n == 0) {
        replace_broken(w); /* what undid a group may have broken it */
        rsq_conn_execute_member(w->conn, first);
        n = 1;
    }
    committed = publish(w);
    answer(w, first, n);
    if (committed)
        note_log(w);
    replace_broken(w);
    rsq_profile_end(RSQ_TIME_WRITER_REQUEST, began);
}

/* --- blocking statements --- */

static rsq_code outcome(rsq_member *m, rsq_result **out, rsq_error *err)
{
    if (m->code != RSQ_OK)
        return rsq_member_take_error(m, err);
    if (out)
        *out = m->result;
    return RSQ_OK;
}

/* Its turn has come. */
static void lead(rsq_writer *w, rsq_write *self)
{
    rsq_member *m;

    rsq_mutex_lock(&w->mu);
    gather_locked(w);
    take_turn_locked(w, self->sql, self->sql_len);
    m = take_statement_locked(w);
    rsq_mutex_unlock(&w->mu);
    assert(m == &self->member);
    replace_broken(w);
    run_statements(w, m);
    pass_on(w);
}

/* Locked. It is in line, and leads, since the turn is free. */
static rsq_write_state begin_line_and_unlock(rsq_writer *w, rsq_write *self)
{
    w->held = true;
    rsq_gate_init(&self->gate);
    append_locked(w, self);
    self->state = RSQ_WRITE_GRANTED;
    rsq_mutex_unlock(&w->mu);
    return RSQ_WRITE_GRANTED;
}

static rsq_code execute_in_line_and_unlock(rsq_writer *w, const rsq_request *rq, uint32_t timeout_ms,
                                           rsq_result **out, rsq_error *err)
{
    rsq_write self = {
        .kind = RSQ_WRITE_STATEMENT, .client = unconst(rq->client), .sql = rq->sql, .sql_len = rq->sql_len};
    rsq_write_state state;

    self.member.rq = rq;
    self.member.wants_result = out != NULL;
    state = w->held ? wait_and_unlock(w, &self, timeout_ms) : begin_line_and_unlock(w, &self);
    if (state == RSQ_WRITE_GRANTED)
        lead(w, &self);
    else if (state != RSQ_WRITE_DONE)
        return not_in_time(w, rq->client, err);
    return outcome(&self.member, out, err);
}

rsq_code rsq_writer_execute(rsq_writer *w, const rsq_request *rq, uint32_t timeout_ms, rsq_result **out,
                            rsq_error *err)
{
    int64_t began = rsq_profile_begin();
    rsq_code code;

    rsq_mutex_lock(&w->mu);
    if (is_closed_locked(w, rq->client)) {
        code = not_in_time_locked(w, rq->client, err);
        rsq_mutex_unlock(&w->mu);
        return code;
    }
    if (w->held || w->gather.expected > 0)
        return execute_in_line_and_unlock(w, rq, timeout_ms, out, err);
    take_turn_locked(w, rq->sql, rq->sql_len);
    rsq_mutex_unlock(&w->mu);
    replace_broken(w);
    code = rsq_conn_execute(w->conn, rq, out, err);
    end_turn(w);
    rsq_profile_end(RSQ_TIME_WRITER_REQUEST, began);
    return code;
}

/* --- asynchronous writes --- */

/* False: it has passed the turn on to what it began, which may have given it back by now. */
static bool run_work(rsq_writer *w, rsq_write *work)
{
    int64_t began = rsq_profile_begin();
    bool committed;

    work->run(work, w->conn);
    if (work->keeps_turn) {
        call_done_of(w, work);
        return false;
    }
    committed = publish(w);
    rsq_mutex_lock(&w->mu);
    rsq_holder_clear(&w->holder); /* its SQL goes with it */
    rsq_mutex_unlock(&w->mu);
    call_done_of(w, work);
    if (committed)
        note_log(w);
    replace_broken(w);
    rsq_profile_end(RSQ_TIME_WRITER_REQUEST, began);
    return true;
}

/* The job of the writer's thread, which has the turn: go through the line as far as nobody else must run it.
 */
static void drain(rsq_job *job)
{
    rsq_writer *w = (rsq_writer *)(void *)((char *)job - offsetof(rsq_writer, drain));
    rsq_write *first;
    rsq_member *m;

    rsq_mutex_lock(&w->mu);
    while ((first = w->line.first) != NULL && first->kind != RSQ_WRITE_TURN) {
        take_turn_locked(w, first->sql, first->sql_len);
        m = take_statement_locked(w);
        if (!m)
            (void)rsq_writes_pop(&w->line);
        rsq_mutex_unlock(&w->mu);
        replace_broken(w);
        if (m)
            run_statements(w, m);
        else if (!run_work(w, first))
            return;
        rsq_mutex_lock(&w->mu);
    }
    /* The first in line, if there is one, is a thread. */
    (void)pass_on_and_unlock(w);
}

void rsq_writer_submit(rsq_writer *w, rsq_write *write)
{
    bool dismissed, drains = false;

    /* Once it is in line and the lock is dropped, it may be done and gone. */
    rsq_mutex_lock(&w->mu);
    rsq_client_asked(write->client);
    dismissed = is_closed_locked(w, write->client);
    if (dismissed) {
        write->state = RSQ_WRITE_DISMISSED;
    } else {
        append_locked(w, write);
        drains = !w->held;
        w->held = true;
    }
    rsq_mutex_unlock(&w->mu);
    if (drains)
        rsq_workers_submit(&w->workers, &w->drain);
    else if (dismissed)
        call_done_of(w, write);
}

/* --- the end --- */

/* Out of line with those that wait, all or a client's. Dropping the lock, so that who asked for them can be
 * told. */
static void dismiss_and_unlock(rsq_writer *w, const rsq_client *client)
{
    rsq_writes all = w->line, dismissed = {0};
    rsq_write *write;

    w->line = (rsq_writes){0};
    while ((write = rsq_writes_pop(&all)) != NULL) {
        /* One that is not waiting is being run, or runs next. */
        if (write->state != RSQ_WRITE_WAITING || (client && write->client != client)) {
            rsq_writes_append(&w->line, write);
            continue;
        }
        write->state = RSQ_WRITE_DISMISSED;
        if (write->done)
            rsq_writes_append(&dismissed, write);
        else
            rsq_gate_open(&write->gate);
    }
    rsq_mutex_unlock(&w->mu);
    call_done(w, &dismissed);
}

void rsq_writer_stop(rsq_writer *w)
{
    rsq_mutex_lock(&w->mu);
    w->stopping = true;
    dismiss_and_unlock(w, NULL);
}

void rsq_writer_dismiss(rsq_writer *w, const rsq_client *client)
{
    rsq_mutex_lock(&w->mu);
    dismiss_and_unlock(w, client);
}

void rsq_writer_await(rsq_writer *w, rsq_client *client)
{
    rsq_mutex_lock(&w->mu);
    while (rsq_client_awaits_writes(client))
        (void)rsq_cond_wait_until(&w->answered, &w->mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&w->mu);
}

void rsq_writer_count(rsq_writer *w, rsq_writer_figures *out)
{
    int64_t held_ns;

    *out = (rsq_writer_figures){.commits = atomic_load_explicit(&w->commits, memory_order_relaxed)};
    rsq_mutex_lock(&w->mu);
    for (const rsq_write *write = w->line.first; write; write = write->next)
        out->waiting += write->state == RSQ_WRITE_WAITING;
    out->groups = w->counters;
    out->statements = w->cached;
    held_ns = rsq_holder_age_ns(&w->holder);
    if (held_ns >= 0) {
        out->held_ns = held_ns;
        rsq_holder_copy(&w->holder, out->holder, sizeof out->holder);
    }
    rsq_mutex_unlock(&w->mu);
}
