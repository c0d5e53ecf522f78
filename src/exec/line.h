/*
 * A line of threads that wait for something to be handed to them, first come
 * first served. Whoever gives something back hands it to the first in line and
 * wakes only that one, so nobody overtakes and nobody wakes for nothing.
 *
 * The owner's mutex guards it; each waiter lives on its own thread's stack.
 */
#ifndef RSQ_EXEC_LINE_H
#define RSQ_EXEC_LINE_H

#include "plat/thread.h"

typedef struct rsq_waiter {
    rsq_cond cond;
    void *granted;     /* what was handed over; NULL: nothing yet */
    const void *owner; /* whose it is, for rsq_line_dismiss_locked(); NULL: nobody's alone */
    bool dismissed;
    struct rsq_waiter *next;
} rsq_waiter;

typedef struct rsq_line {
    rsq_waiter *first;
    rsq_waiter *last;
} rsq_line;

static inline bool rsq_line_empty(const rsq_line *l)
{
    return !l->first;
}

/*
 * Wait in line until something is handed over, with `mu` held. NULL: the
 * time-out passed, or the line was dismissed.
 */
void *rsq_line_wait_locked(rsq_line *l, rsq_mutex *mu, const void *owner, uint32_t timeout_ms);

/* How many wait. */
unsigned rsq_line_length(const rsq_line *l);

/* Hand `thing` to the first in line; false: nobody waits. */
bool rsq_line_grant_locked(rsq_line *l, void *thing);

/* Send away with nothing who waits for `owner`; NULL: everybody. */
void rsq_line_dismiss_locked(rsq_line *l, const void *owner);

#endif
