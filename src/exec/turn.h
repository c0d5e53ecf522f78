/*
 * The turn: who has the writer, and the line of those who wait for it.
 *
 * What waits is a write (write.h), which a thread stands behind or nobody does.
 * The turn goes to the first in line, and it says by what SQL it is held, for the
 * message of those whose time is over.
 */
#ifndef RSQ_EXEC_TURN_H
#define RSQ_EXEC_TURN_H

#include "exec/gather.h"
#include "exec/holder.h"
#include "exec/write.h"

typedef struct rsq_turn {
    bool no_spin; /* immutable: RSQ_OPEN_NO_SPIN */

    /* Any thread, under mu. */
    rsq_mutex mu;
    bool held;
    rsq_holder holder;
    rsq_writes line;
    rsq_gather gather;
    bool stopping;

    /* Any thread; they order nothing. */
    atomic_bool looked_at;        /* a thread that waits looks whether its gate is open; one at most does */
    _Atomic uint32_t look_for_ns; /* rsq_spin.limit_ns of that */
} rsq_turn;

/* `flags`: RSQ_OPEN_… */
void rsq_turn_init(rsq_turn *t, uint32_t flags);
void rsq_turn_fini(rsq_turn *t);

static inline bool rsq_turn_is_closed_locked(const rsq_turn *t, const rsq_client *client)
{
    return t->stopping || rsq_client_is_closing(client);
}

/* It is free, or handed to the caller. `sql` is borrowed until it is given back. */
static inline void rsq_turn_take_locked(rsq_turn *t, const char *sql, size_t sql_len)
{
    t->held = true;
    t->gather.expected = 0;
    rsq_holder_set(&t->holder, sql, sql_len);
}

/* With the turn: what holds it from now on; and, when that SQL is done, and may be gone, nothing does. */
void rsq_turn_rename(rsq_turn *t, const char *sql, size_t sql_len);
void rsq_turn_forget_holder(rsq_turn *t);

/*
 * Give the turn to the first in line. False: that is not a thread, which is
 * woken, but one for the writer's own, which has the turn now.
 */
bool rsq_turn_pass_on_and_unlock(rsq_turn *t);

void rsq_turn_append_locked(rsq_turn *t, rsq_write *write);

/*
 * A thread's write: wait in line until there is more to do than to wait. It has
 * the turn (GRANTED, and still the first in line), is DONE, or is out of line:
 * WAITING, when its time is over, or DISMISSED.
 */
rsq_write_state rsq_turn_wait_and_unlock(rsq_turn *t, rsq_write *write, uint32_t timeout_ms);

/* Why a thread got neither: RSQ_ECLOSED, or RSQ_ETIMEOUT with the name of the holder. */
rsq_code rsq_turn_refuse_locked(const rsq_turn *t, const rsq_client *client, rsq_error *err);

/*
 * Take out of line who waits, of a client or all (NULL). Threads are woken; the
 * asynchronous ones are returned, and to be told by the caller.
 */
rsq_writes rsq_turn_dismiss_locked(rsq_turn *t, const rsq_client *client);

#endif
