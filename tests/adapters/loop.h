/*
 * An event loop with queues of resqlite on it, as the cases of all adapters see it.
 *
 * cases.c holds the cases; there is one loop_*.c for each adapter, and a test program for each of them. What
 * a driver does is what a program does with that loop, and nothing to help the adapter: a source lives in
 * memory of its own wherever the adapter allows it, so that a sanitizer sees a source that is used too late.
 */
#ifndef RSQ_TESTS_LOOP_H
#define RSQ_TESTS_LOOP_H

#include "fixture.h"

typedef struct test_loop test_loop; /**< the loop and one timer */
typedef struct watch watch;         /**< one source of the adapter */

/** NULL when it cannot be made. */
test_loop *loop_new(void);
/** All sources were detached before. Whether the loop was as empty as it should be. */
bool loop_free(test_loop *l);

/** Attach `q` with this limit of events a turn. 0 and `out`, or the adapter's error with nothing to detach.
 */
int loop_attach(test_loop *l, rsq_queue *q, size_t max, watch **out);
/** Detach, twice, since the second time must do nothing; the source's memory is given back, also inside its
 * own callback. */
void loop_detach(test_loop *l, watch *w);

/** Whether the loop waits for that descriptor, as the loop itself or the kernel says. */
bool loop_watches(test_loop *l, int fd);

/** Let the timer fire once after `ms`; one that is under way starts anew. 0 stops it. */
void loop_timer(test_loop *l, unsigned ms);
/** Whether it fired since it was started. */
bool loop_fired(const test_loop *l);

/** Sleep until there is something to do, and do it: one turn. False if the loop failed. */
bool loop_turn(test_loop *l);

/** For drivers: whether any epoll instance of this process holds the descriptor. */
bool loop_epoll_holds(int fd);

#endif
