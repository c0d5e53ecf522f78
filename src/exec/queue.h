/*
 * The inside of an rsq_queue: a list of nodes whose owners have something to
 * deliver. What it is, the owner keeps; a node that is posted again while it
 * waits stays where it is, so the list is bounded by the number of owners.
 */
#ifndef RSQ_EXEC_QUEUE_H
#define RSQ_EXEC_QUEUE_H

#include <stdatomic.h>

#include "plat/spin.h"
#include "plat/thread.h"
#include "resqlite.h"

typedef struct rsq_queue_node {
    /*
     * Deliver, on the dispatching thread and with no lock held; with `deliver`
     * false drop what waits. Called once for each successful post. Returns
     * whether a callback was called: what it was posted for may have gone
     * along with the post before, or been the same again.
     */
    bool (*run)(struct rsq_queue_node *node, bool deliver);

    /* Any thread, under the queue's mutex. */
    struct rsq_queue_node *next;
    bool linked;
} rsq_queue_node;

struct rsq_queue {
    bool no_spin;          /* RSQ_OPEN_NO_SPIN of its database; immutable once it is shared */
    _Atomic uint32_t refs; /* release on drop, acquire by the one that frees */

    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond changed; /* not empty any more, closed, or a dispatch ended */
    rsq_queue_node *first, *last;
    _Atomic size_t count; /* written under mu; read without by the one that spins, who then takes mu */
    unsigned sleepers;
    int fd;                /* -1 until asked for */
    uintptr_t dispatching; /* the thread that dispatches; 0: none */
    unsigned depth;        /* of nested dispatches on it */
    rsq_spin spin;         /* of rsq_queue_wait(); one thread consumes */
    int64_t called_ns;     /* when somebody asleep was woken last */
    rsq_wakeup_fn wakeup;  /* called with mu held; NULL: none */
    void *wakeup_ctx;      /* borrowed */
    bool woken;            /* it was called, and no dispatch has begun since */
    bool closed;           /* nothing is posted any more */
};

rsq_queue *rsq_queue_make(void); /* NULL: no memory */
rsq_queue *rsq_queue_ref(rsq_queue *q);
void rsq_queue_unref(rsq_queue *q);

/* Put the node into the queue. False: it was there already, or the queue is closed; `*closed` tells. */
bool rsq_queue_post(rsq_queue *q, rsq_queue_node *node, bool *closed);

/*
 * Nodes on their way into a queue, so that several take one lock and one wake-up.
 * Lives on the stack of who posts; all-zero is empty.
 */
typedef struct rsq_posts {
    rsq_queue *queue; /* owned reference; NULL: empty */
    rsq_queue_node *first, *last;
    size_t count;
} rsq_posts;

/* The node is in no queue, and is posted by nobody else. */
void rsq_posts_add(rsq_posts *ps, rsq_queue *q, rsq_queue_node *node);

/* Post them. If the queue takes no more, they are run here, to drop what they have. */
void rsq_posts_flush(rsq_posts *ps);

/* Does the calling thread dispatch it just now: are we inside one of its callbacks? */
bool rsq_queue_is_mine(rsq_queue *q);

/* Deliver all that waits, on this thread, wait for another thread's dispatch to end, and close. */
void rsq_queue_finish(rsq_queue *q);

#endif
