#include "exec/turn.h"

#include "base/error.h"
#include "base/profile.h"
#include "plat/spin.h"

void rsq_turn_init(rsq_turn *t, uint32_t flags)
{
    *t = (rsq_turn){.no_spin = (flags & RSQ_OPEN_NO_SPIN) != 0};
    rsq_mutex_init(&t->mu);
    rsq_gather_init(&t->gather);
    atomic_init(&t->looked_at, false);
    atomic_init(&t->look_for_ns, 0);
}

void rsq_turn_fini(rsq_turn *t)
{
    assert(!t->held);
    rsq_gather_fini(&t->gather);
    rsq_mutex_fini(&t->mu);
}

void rsq_turn_rename(rsq_turn *t, const char *sql, size_t sql_len)
{
    rsq_mutex_lock(&t->mu);
    assert(t->held);
    rsq_holder_set(&t->holder, sql, sql_len);
    rsq_mutex_unlock(&t->mu);
}

void rsq_turn_forget_holder(rsq_turn *t)
{
    rsq_mutex_lock(&t->mu);
    rsq_holder_clear(&t->holder);
    rsq_mutex_unlock(&t->mu);
}

bool rsq_turn_pass_on_and_unlock(rsq_turn *t)
{
    rsq_write *first = t->line.first;
    bool is_thread = first && !first->done;

    assert(t->held);
    rsq_holder_clear(&t->holder);
    t->held = first != NULL;
    if (is_thread)
        first->state = RSQ_WRITE_GRANTED;
    rsq_mutex_unlock(&t->mu);
    if (is_thread)
        rsq_gate_open(&first->gate);
    return is_thread || !first;
}

rsq_code rsq_turn_refuse_locked(const rsq_turn *t, const rsq_client *client, rsq_error *err)
{
    char holder[160] = "";

    if (rsq_turn_is_closed_locked(t, client))
        return rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
    rsq_holder_describe(&t->holder, holder, sizeof holder);
    return rsq_error_set(err, RSQ_ETIMEOUT, "the writer was not free in time%s%s",
                         holder[0] ? "; held by " : "", holder);
}

/* --- the line --- */

void rsq_turn_append_locked(rsq_turn *t, rsq_write *write)
{
    write->state = RSQ_WRITE_WAITING;
    rsq_writes_append(&t->line, write);
    rsq_gather_came_locked(&t->gather, &t->line);
}

/*
 * Look for a while whether the gate is open, then sleep. Of those that wait one
 * looks; the others sleep at once, so that the one that runs keeps a core.
 */
static bool wait_until(rsq_turn *t, rsq_gate *gate, int64_t deadline_ns)
{
    rsq_spin spin = {.limit_ns = atomic_load_explicit(&t->look_for_ns, memory_order_relaxed)};
    bool found, in_time;

    if (t->no_spin || atomic_exchange_explicit(&t->looked_at, true, memory_order_relaxed))
        return rsq_gate_wait_until(gate, deadline_ns);
    found = rsq_spin_while_zero(&spin, &gate->state);
    atomic_store_explicit(&t->looked_at, false, memory_order_relaxed);
    in_time = rsq_gate_wait_until(gate, deadline_ns);
    if (!found) {
        rsq_spin_slept(&spin, rsq_now_ns());
        atomic_store_explicit(&t->look_for_ns, spin.limit_ns, memory_order_relaxed);
    }
    return in_time;
}

/* The time of a write is over. True: it is out of line; false: it is being run, or has the turn, and its gate
 * will be open. */
static bool give_up(rsq_turn *t, rsq_write *write)
{
    bool waiting;

    rsq_mutex_lock(&t->mu);
    waiting = write->state == RSQ_WRITE_WAITING;
    write->overdue = true;
    if (waiting)
        rsq_writes_remove(&t->line, write);
    rsq_mutex_unlock(&t->mu);
    return waiting;
}

rsq_write_state rsq_turn_wait_and_unlock(rsq_turn *t, rsq_write *write, uint32_t timeout_ms)
{
    int64_t deadline_ns = rsq_deadline_ns(timeout_ms);
    int64_t began = rsq_profile_begin();
    bool in_time;

    rsq_gate_init(&write->gate);
    rsq_turn_append_locked(t, write);
    rsq_mutex_unlock(&t->mu);
    in_time = timeout_ms > 0 && wait_until(t, &write->gate, deadline_ns);
    if (!in_time && !give_up(t, write))
        (void)rsq_gate_wait_until(&write->gate, RSQ_NO_DEADLINE);
    rsq_profile_end(RSQ_TIME_WRITER_WAIT, began);
    return write->state;
}

rsq_writes rsq_turn_dismiss_locked(rsq_turn *t, const rsq_client *client)
{
    rsq_writes all = t->line, dismissed = {0};
    rsq_write *write;

    t->line = (rsq_writes){0};
    while ((write = rsq_writes_pop(&all)) != NULL) {
        /* One that is not waiting is being run, or runs next. */
        if (write->state != RSQ_WRITE_WAITING || (client && write->client != client)) {
            rsq_writes_append(&t->line, write);
            continue;
        }
        write->state = RSQ_WRITE_DISMISSED;
        if (write->done)
            rsq_writes_append(&dismissed, write);
        else
            rsq_gate_open(&write->gate);
    }
    return dismissed;
}
