#include "exec/taken.h"

#include <stddef.h>

static rsq_write *write_of(rsq_member *m)
{
    return (rsq_write *)(void *)((char *)m - offsetof(rsq_write, member));
}

rsq_member *rsq_taken_next_locked(rsq_taken *t)
{
    rsq_write *next = t->last ? t->last->next : t->turn->line.first;

    if (!next || next->kind != RSQ_WRITE_STATEMENT)
        return NULL;
    next->state = RSQ_WRITE_TAKEN;
    t->last = next;
    return &next->member;
}

/*
 * One more; and while the lock is held, those behind it that nobody sleeps for. A
 * thread that waits for its statement may still go when its time is over, so that
 * one is taken when it is about to run and not before.
 */
static rsq_member *take_another(rsq_members *from)
{
    rsq_taken *t = (rsq_taken *)(void *)((char *)from - offsetof(rsq_taken, members));
    rsq_member *m;

    if (t->ahead_at < t->ahead_count)
        return t->ahead[t->ahead_at++];
    t->ahead_at = t->ahead_count = 0;
    rsq_mutex_lock(&t->turn->mu);
    m = rsq_taken_next_locked(t);
    while (m && t->ahead_count < RSQ_TAKEN_AHEAD && t->last->next && t->last->next->done) {
        rsq_member *next = rsq_taken_next_locked(t);

        if (!next)
            break;
        t->ahead[t->ahead_count++] = next;
    }
    rsq_mutex_unlock(&t->turn->mu);
    return m;
}

void rsq_taken_init(rsq_taken *t, rsq_turn *turn)
{
    *t = (rsq_taken){.turn = turn, .members = {.take = take_another}};
}

static void put_back_locked(rsq_taken *t, rsq_member *m)
{
    for (rsq_member *next; m; m = next) {
        rsq_write *write = write_of(m);

        next = m->next;
        write->state = RSQ_WRITE_WAITING;
        if (!write->overdue)
            continue;
        write->state = RSQ_WRITE_DISMISSED;
        rsq_writes_remove(&t->turn->line, write);
        rsq_gate_open(&write->gate);
    }
}

void rsq_taken_settle_locked(rsq_taken *t, rsq_member *m, size_t n, rsq_writes *asynchronous,
                             rsq_writes *threads)
{
    for (; n > 0; n--) {
        rsq_write *write = rsq_writes_pop(&t->turn->line);

        assert(&write->member == m);
        m = m->next;
        write->state = RSQ_WRITE_DONE;
        rsq_writes_append(write->done ? asynchronous : threads, write);
    }
    put_back_locked(t, m);
    for (; t->ahead_at < t->ahead_count; t->ahead_at++)
        write_of(t->ahead[t->ahead_at])->state = RSQ_WRITE_WAITING;
    t->last = NULL;
}
