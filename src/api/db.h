/*
 * The inside of an rsq_db: a handle that stays valid after it was closed.
 *
 * Every call pins the handle, which keeps the core alive, and unpins it at its
 * end. rsq_close() forbids new pins and waits for those that are out. The
 * handle's own memory goes to a graveyard of fixed size, so a call that comes
 * late gets RSQ_ECLOSED and not a crash.
 */
#ifndef RSQ_API_DB_H
#define RSQ_API_DB_H

#include "api/shared.h"

struct rsq_db {
    /*
     * The number of calls inside, and RSQ_DB_CLOSING. A pin acquires, an unpin
     * releases: what a call did to the core happens before its end.
     */
    _Atomic uint64_t pins;

    /* Immutable from open to the end of close; used by whoever holds a pin. */
    rsq_shared *shared;   /* owned reference */
    rsq_core *core;       /* borrowed from `shared` */
    rsq_streams *streams; /* likewise */

    rsq_client client; /* what the core knows this handle by */

    /* Immutable. Kept until the handle leaves the graveyard. */
    rsq_queue *queue; /* owned reference */

    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond changed; /* the last pin is gone, or closed */
    uintptr_t closer; /* the thread that closes; 0: none yet */
    bool closed;
};

#define RSQ_DB_CLOSING (UINT64_C(1) << 63)

/* RSQ_OK: pinned. RSQ_EINVAL (NULL) or RSQ_ECLOSED: not. */
rsq_code rsq_db_pin(rsq_db *db, rsq_error *err);
void rsq_db_unpin(rsq_db *db);

#endif
