/*
 * What the handles of one file share: the core, and the live queries on it.
 *
 * A file is known by device and inode, so by any path, symbolic or hard link
 * that leads to it. There is one of these for each file that is open in the
 * process, counted by its handles. Databases in memory and temporary ones
 * belong to one handle each.
 *
 *            first rsq_open            done                 last rsq_close
 *   nothing ───────────────► OPENING ───────────► OPEN ────────────────────► CLOSING ──► nothing
 *                               ▲                   │
 *                               └───────────────────┘
 *                    the first that may write, of a file open read-only
 *
 * An rsq_open() that finds the file OPENING or CLOSING waits: two cores on one
 * file would be two writers.
 */
#ifndef RSQ_API_SHARED_H
#define RSQ_API_SHARED_H

#include "plat/file.h"
#include "stream/streams.h"

typedef enum rsq_shared_state { RSQ_SHARED_OPENING, RSQ_SHARED_OPEN, RSQ_SHARED_CLOSING } rsq_shared_state;

typedef struct rsq_shared {
    /* Immutable while it is OPEN. */
    rsq_core *core;       /* owned */
    rsq_streams *streams; /* owned reference */

    /* Any thread, under the registry's mutex. */
    rsq_shared_state state;
    uint32_t numbers; /* of clients, given so far */
    size_t refs;      /* handles */
    bool listed;      /* it has an `id`, and others may find it */
    rsq_file_id id;
    struct rsq_shared *next;
} rsq_shared;

/*
 * Find or open. `asked` are the caller's options, `filled` the same with every
 * default: what was asked for may not contradict what the file is open with.
 * RSQ_OK: a reference, rsq_shared_release() drops it. RSQ_EINVAL names the
 * option that contradicts.
 */
rsq_code rsq_shared_open(const char *path, const rsq_open_options *asked, const rsq_open_options *filled,
                         rsq_shared **out, rsq_error *err);

/* A number for a new client of the core. */
uint32_t rsq_shared_number(rsq_shared *s);

/* How many handles have it. */
size_t rsq_shared_handles(const rsq_shared *s);

/* The last one closes the core. */
void rsq_shared_release(rsq_shared *s);

#endif
