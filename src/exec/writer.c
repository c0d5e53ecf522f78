#include "exec/writer.h"

#include <assert.h>
#include <stddef.h>

#include "base/error.h"
#include "base/profile.h"

static void drain(rsq_job *job);

void rsq_writer_init(rsq_writer *w, const rsq_conn_config *config, rsq_conn *conn,
                     rsq_checkpointer *checkpointer, rsq_commit_sink sink)
{
    *w = (rsq_writer){.config = config, .sink = sink, .checkpointer = checkpointer, .conn = conn};
    atomic_init(&w->commits, 0);
    atomic_init(&w->cached, 0);
    w->groups = !(config->flags & RSQ_OPEN_NO_GROUP_COMMIT);
    w->drain.run = drain;
    rsq_turn_init(&w->turn, config->flags);
    rsq_taken_init(&w->taken, &w->turn);
    rsq_cond_init(&w->answered);
    rsq_workers_init(&w->workers, 1, config->flags);
}

void rsq_writer_finish(rsq_writer *w)
{
    rsq_workers_fini(&w->workers);
}

void rsq_writer_fini(rsq_writer *w)
{
    rsq_conn_close(w->conn);
    rsq_cond_fini(&w->answered);
    rsq_turn_fini(&w->turn);
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

static void pass_on_and_unlock(rsq_writer *w)
{
    atomic_store_explicit(&w->cached, rsq_conn_statements(w->conn), memory_order_relaxed);
    if (!rsq_turn_pass_on_and_unlock(&w->turn))
        rsq_workers_submit(&w->workers, &w->drain);
}

bool rsq_writer_is_idle(rsq_writer *w)
{
    bool idle;

    rsq_mutex_lock(&w->turn.mu);
    idle = !w->turn.held;
    rsq_mutex_unlock(&w->turn.mu);
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
    rsq_turn *turn = &w->turn;
    rsq_code code = RSQ_OK;

    rsq_mutex_lock(&turn->mu);
    if (rsq_turn_is_closed_locked(turn, client)) {
        code = rsq_turn_refuse_locked(turn, client, err);
    } else if (turn->held) {
        rsq_write_state state = rsq_turn_wait_and_unlock(turn, &self, timeout_ms);

        rsq_mutex_lock(&turn->mu);
        if (state == RSQ_WRITE_GRANTED)
            (void)rsq_writes_pop(&turn->line); /* it is the first */
        else
            code = rsq_turn_refuse_locked(turn, client, err);
    }
    if (code == RSQ_OK)
        rsq_turn_take_locked(turn, sql, sql_len);
    rsq_mutex_unlock(&turn->mu);
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
    rsq_mutex_lock(&w->turn.mu);
    pass_on_and_unlock(w);
}

void rsq_writer_release(rsq_writer *w)
{
    int64_t began = w->began_ns;

    end_turn(w);
    rsq_profile_end(RSQ_TIME_WRITER_REQUEST, began);
}

/* --- statements that stand next to each other --- */

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

static void answered(rsq_writer *w, rsq_client *client, uint32_t n)
{
    if (!rsq_client_answered(client, n))
        return;
    /* Its handle closes, and waits for this. */
    rsq_mutex_lock(&w->turn.mu);
    rsq_cond_broadcast(&w->answered);
    rsq_mutex_unlock(&w->turn.mu);
}

void rsq_writer_answered(rsq_writer *w, rsq_client *client)
{
    answered(w, client, 1);
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
    rsq_turn *turn = &w->turn;

    rsq_mutex_lock(&turn->mu);
    count_group_locked(w, n);
    rsq_taken_settle_locked(&w->taken, m, n, &asynchronous, &threads);
    rsq_gather_expect_locked(&turn->gather, &turn->line, threads.count, w->taken.members.commit_ns);
    rsq_holder_clear(&turn->holder);
    rsq_mutex_unlock(&turn->mu);
    open_gates(&threads);
    call_done(w, &asynchronous);
}

/* Run the statement, together with those behind it that may share its commit. */
static void run_statements(rsq_writer *w, rsq_member *first)
{
    int64_t began = rsq_profile_begin();
    size_t n = w->groups ? rsq_conn_execute_group(w->conn, first, &w->taken.members) : 0;
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
    rsq_turn *turn = &w->turn;
    rsq_member *m;

    rsq_mutex_lock(&turn->mu);
    rsq_gather_wait_locked(&turn->gather, &turn->line, &turn->mu);
    rsq_turn_take_locked(turn, self->sql, self->sql_len);
    m = rsq_taken_next_locked(&w->taken);
    rsq_mutex_unlock(&turn->mu);
    assert(m == &self->member);
    replace_broken(w);
    run_statements(w, m);
    rsq_mutex_lock(&turn->mu);
    pass_on_and_unlock(w);
}

/* Locked. It is in line, and leads, since the turn is free. */
static rsq_write_state begin_line_and_unlock(rsq_turn *turn, rsq_write *self)
{
    turn->held = true;
    rsq_gate_init(&self->gate);
    rsq_turn_append_locked(turn, self);
    self->state = RSQ_WRITE_GRANTED;
    rsq_mutex_unlock(&turn->mu);
    return RSQ_WRITE_GRANTED;
}

static rsq_code refuse(rsq_writer *w, const rsq_client *client, rsq_error *err)
{
    rsq_code code;

    rsq_mutex_lock(&w->turn.mu);
    code = rsq_turn_refuse_locked(&w->turn, client, err);
    rsq_mutex_unlock(&w->turn.mu);
    return code;
}

static rsq_code execute_in_line_and_unlock(rsq_writer *w, const rsq_request *rq, uint32_t timeout_ms,
                                           rsq_result **out, rsq_error *err)
{
    rsq_write self = {
        .kind = RSQ_WRITE_STATEMENT, .client = unconst(rq->client), .sql = rq->sql, .sql_len = rq->sql_len};
    rsq_write_state state;

    self.member.rq = rq;
    self.member.wants_result = out != NULL;
    state = w->turn.held ? rsq_turn_wait_and_unlock(&w->turn, &self, timeout_ms)
                         : begin_line_and_unlock(&w->turn, &self);
    if (state == RSQ_WRITE_GRANTED)
        lead(w, &self);
    else if (state != RSQ_WRITE_DONE)
        return refuse(w, rq->client, err);
    return outcome(&self.member, out, err);
}

/* `began`: for the counters. Inlined twice, as in rsq_streams_commit(), so that they cost nothing while they
 * are off. */
static inline __attribute__((always_inline)) rsq_code execute(rsq_writer *w, const rsq_request *rq,
                                                              uint32_t timeout_ms, rsq_result **out,
                                                              int64_t began, rsq_error *err)
{
    rsq_turn *turn = &w->turn;
    rsq_code code;

    rsq_mutex_lock(&turn->mu);
    if (rsq_turn_is_closed_locked(turn, rq->client)) {
        code = rsq_turn_refuse_locked(turn, rq->client, err);
        rsq_mutex_unlock(&turn->mu);
        return code;
    }
    if (turn->held || turn->gather.expected > 0)
        return execute_in_line_and_unlock(w, rq, timeout_ms, out, err);
    rsq_turn_take_locked(turn, rq->sql, rq->sql_len);
    rsq_mutex_unlock(&turn->mu);
    replace_broken(w);
    code = rsq_conn_execute(w->conn, rq, out, err);
    end_turn(w);
    rsq_profile_end(RSQ_TIME_WRITER_REQUEST, began);
    return code;
}

static __attribute__((noinline, cold)) rsq_code execute_timed(rsq_writer *w, const rsq_request *rq,
                                                              uint32_t timeout_ms, rsq_result **out,
                                                              rsq_error *err)
{
    return execute(w, rq, timeout_ms, out, rsq_profile_begin(), err);
}

rsq_code rsq_writer_execute(rsq_writer *w, const rsq_request *rq, uint32_t timeout_ms, rsq_result **out,
                            rsq_error *err)
{
    return rsq_profile_on() ? execute_timed(w, rq, timeout_ms, out, err)
                            : execute(w, rq, timeout_ms, out, 0, err);
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
    rsq_turn_forget_holder(&w->turn); /* its SQL goes with it */
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
    rsq_turn *turn = &w->turn;
    rsq_write *first;
    rsq_member *m;

    rsq_mutex_lock(&turn->mu);
    while ((first = turn->line.first) != NULL && first->kind != RSQ_WRITE_TURN) {
        rsq_turn_take_locked(turn, first->sql, first->sql_len);
        m = rsq_taken_next_locked(&w->taken);
        if (!m)
            (void)rsq_writes_pop(&turn->line);
        rsq_mutex_unlock(&turn->mu);
        replace_broken(w);
        if (m)
            run_statements(w, m);
        else if (!run_work(w, first))
            return;
        rsq_mutex_lock(&turn->mu);
    }
    /* The first in line, if there is one, is a thread. */
    pass_on_and_unlock(w);
}

void rsq_writer_submit(rsq_writer *w, rsq_write *write)
{
    bool dismissed, drains = false;

    /* Once it is in line and the lock is dropped, it may be done and gone. */
    rsq_mutex_lock(&w->turn.mu);
    rsq_client_asked(write->client);
    dismissed = rsq_turn_is_closed_locked(&w->turn, write->client);
    if (dismissed) {
        write->state = RSQ_WRITE_DISMISSED;
    } else {
        rsq_turn_append_locked(&w->turn, write);
        drains = !w->turn.held;
        w->turn.held = true;
    }
    rsq_mutex_unlock(&w->turn.mu);
    if (drains)
        rsq_workers_submit(&w->workers, &w->drain);
    else if (dismissed)
        call_done_of(w, write);
}

/* --- the end --- */

void rsq_writer_stop(rsq_writer *w)
{
    rsq_writes dismissed;

    rsq_mutex_lock(&w->turn.mu);
    w->turn.stopping = true;
    dismissed = rsq_turn_dismiss_locked(&w->turn, NULL);
    rsq_mutex_unlock(&w->turn.mu);
    call_done(w, &dismissed);
}

void rsq_writer_dismiss(rsq_writer *w, const rsq_client *client)
{
    rsq_writes dismissed;

    rsq_mutex_lock(&w->turn.mu);
    dismissed = rsq_turn_dismiss_locked(&w->turn, client);
    rsq_mutex_unlock(&w->turn.mu);
    call_done(w, &dismissed);
}

void rsq_writer_await(rsq_writer *w, rsq_client *client)
{
    rsq_mutex_lock(&w->turn.mu);
    while (rsq_client_awaits_writes(client))
        (void)rsq_cond_wait_until(&w->answered, &w->turn.mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&w->turn.mu);
}

void rsq_writer_count(rsq_writer *w, rsq_writer_figures *out)
{
    int64_t held_ns;

    *out = (rsq_writer_figures){
        .commits = atomic_load_explicit(&w->commits, memory_order_relaxed),
        .statements = atomic_load_explicit(&w->cached, memory_order_relaxed),
    };
    rsq_mutex_lock(&w->turn.mu);
    for (const rsq_write *write = w->turn.line.first; write; write = write->next)
        out->waiting += write->state == RSQ_WRITE_WAITING;
    out->groups = w->counters;
    held_ns = rsq_holder_age_ns(&w->turn.holder);
    if (held_ns >= 0) {
        out->held_ns = held_ns;
        rsq_holder_copy(&w->turn.holder, out->holder, sizeof out->holder);
    }
    rsq_mutex_unlock(&w->turn.mu);
}
