/*
 * A client of a core: one open handle of a database.
 *
 * All handles of one file share a core. By the client, those that wait in line,
 * the asynchronous calls, the cursors, the transactions and the live queries of
 * one handle are told from those of the others, so that closing it ends no more
 * than its own.
 */
#ifndef RSQ_EXEC_CLIENT_H
#define RSQ_EXEC_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsq_client {
    /* Immutable. */
    bool readonly;   /* it was opened so, whatever the core can do */
    uint32_t number; /* no other client of the core has or had it */

    /*
     * It gets no connection any more. Set before the line of each kind is
     * emptied of it, and looked at under the mutex of the line: that orders it.
     */
    _Atomic bool closing;

    /*
     * Asynchronous writes that are not answered yet, and RSQ_CLIENT_LEAVING once
     * it waits for the last one. Dropping one releases, the one that waits
     * acquires: what is told of a write happens before the handle goes on.
     */
    _Atomic uint32_t writes;
} rsq_client;

#define RSQ_CLIENT_LEAVING (UINT32_C(1) << 31)

/* NULL, for work that is nobody's alone, never closes. */
static inline bool rsq_client_is_closing(const rsq_client *c)
{
    return c && atomic_load_explicit(&c->closing, memory_order_relaxed);
}

/* One more asynchronous write. */
static inline void rsq_client_asked(rsq_client *c)
{
    (void)atomic_fetch_add_explicit(&c->writes, 1, memory_order_relaxed);
}

/* `n` less. True: the last is among them, and somebody waits for that; the client may be gone in any case. */
static inline bool rsq_client_answered(rsq_client *c, uint32_t n)
{
    return atomic_fetch_sub_explicit(&c->writes, n, memory_order_acq_rel) == (RSQ_CLIENT_LEAVING | n);
}

/* Are there some? From the first call on, the last answer says so. */
static inline bool rsq_client_awaits_writes(rsq_client *c)
{
    return (atomic_fetch_or_explicit(&c->writes, RSQ_CLIENT_LEAVING, memory_order_acq_rel) &
            ~RSQ_CLIENT_LEAVING) != 0;
}

#endif
