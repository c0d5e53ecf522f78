/*
 * The reader connections and their leases.
 *
 * Leased is the reader that came back last: its pages are warm and its snapshot
 * is most likely still the newest. A connection is opened when it is first
 * needed, and anew after an error left it in doubt. Callers that find none wait
 * in line.
 *
 *               acquire                     release
 *   EMPTY ──────(opens)──► LEASED ◄──acquire── IDLE
 *     ▲                      │ │                 ▲
 *     └──────(broken)────────┘ └────(healthy)────┘
 *
 * The one that came back last lies in a place of its own, the spare: there it
 * is leased and given back without the mutex. Whoever must know who has a lease,
 * or must be the next to get one, shuts that place first; then every lease goes
 * through the mutex.
 *
 * A released reader keeps its snapshot; a thread of the pool, the keeper, ends
 * snapshots that lay idle for a while, since they hold back the log.
 */
#ifndef RSQ_EXEC_READERS_H
#define RSQ_EXEC_READERS_H

#include "exec/client.h"
#include "exec/holder.h"
#include "exec/line.h"
#include "exec/spare.h"
#include "sql/conn.h"

#define RSQ_READERS_MAX 64

/* One place in the pool. */
typedef struct rsq_reader {
    /* The holder of the lease; of one that is listed, any thread under the pool's mutex. */
    rsq_conn *conn; /* owned by the pool; NULL: not open */
    bool kept;      /* idle with an open snapshot */
    uint32_t tick;  /* the pool's tick when it came back */

    /* Written by the holder of the lease, read by any thread as far as it makes sure that the lease lasts. */
    rsq_holder holder;

    /* Written by the holder of the lease; figures for others. */
    _Atomic size_t statements; /* in its cache when it came back */
    _Atomic uint64_t direct;   /* leases of it so far that were given without the mutex */

    /* Any thread, under the pool's mutex. */
    uint64_t lease;          /* the number of the last one that was given under the mutex */
    bool limited;            /* what runs on it may be cancelled when it is too old, */
    bool too_old;            /* and was */
    bool lost;               /* its connection was closed, since it was in doubt */
    bool listed;             /* idle or empty, and in that list */
    struct rsq_reader *next; /* there */
} rsq_reader;

typedef struct rsq_readers {
    /* Immutable after rsq_readers_init(). */
    const rsq_conn_config *config; /* borrowed; outlives the pool */
    unsigned count;
    uint32_t keep_ms; /* idle ones at most as long */
    uint32_t age_ms;  /* that a read may have while leases pause; 0: any */
    bool direct;      /* is the spare used? Not with RSQ_OPEN_NO_SHORTCUTS, nor where ages are limited */

    /*
     * Are snapshots kept, and do leases pause? Written under mu; a release reads
     * them without, and at worst keeps a snapshot that is let go a moment later.
     */
    _Atomic bool keep;
    _Atomic bool paused;

    rsq_spare spare; /* an rsq_reader. Any thread; shut and opened under mu */

    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond quiet;    /* no lease is out; or one came back, if there are watchers */
    unsigned leased;   /* places that are not listed: leased, or spare */
    uint64_t reopened; /* connections opened anew after an error */
    uint64_t leases;   /* given under mu so far */
    unsigned watchers; /* wait for `quiet` while leases are given */
    rsq_reader places[RSQ_READERS_MAX];
    rsq_reader *idle; /* most recently used first */
    rsq_reader *empty;
    rsq_line waiting;
    bool stopping;

    /* The keeper's, under mu too. */
    bool keeper_started;
    bool keeper_asleep;    /* waits without a limit: nothing is kept */
    _Atomic uint32_t tick; /* written under mu; a release reads it without, and is at worst thought older */
    rsq_cond keeper_wake;
    rsq_thread keeper; /* immutable once started */
} rsq_readers;

/* `count` is 1 to RSQ_READERS_MAX. */
void rsq_readers_init(rsq_readers *rs, const rsq_conn_config *config, unsigned count, uint32_t keep_ms,
                      uint32_t age_ms);

/* Refuse new leases with RSQ_ECLOSED and send those that wait away; does not wait. */
void rsq_readers_stop(rsq_readers *rs);

/* Send those away that wait for a client that closes. */
void rsq_readers_dismiss(rsq_readers *rs, const rsq_client *client);

/* Close all. After stop, with no lease out. */
void rsq_readers_fini(rsq_readers *rs);

/*
 * Lease a reader for a client (NULL: for all of them); rsq_readers_release()
 * gives it back. `sql` names the holder in others' time-outs and is borrowed
 * until the release.
 * RSQ_OK, RSQ_ETIMEOUT, RSQ_ECLOSED, or why a connection could not be opened.
 */
rsq_code rsq_readers_acquire(rsq_readers *rs, const rsq_client *client, const char *sql, size_t sql_len,
                             uint32_t timeout_ms, rsq_reader **out, rsq_error *err);
void rsq_readers_release(rsq_readers *rs, rsq_reader *r);

/* How many connections were opened anew after an error left one in doubt, since the pool was made. */
uint64_t rsq_readers_reopened(rsq_readers *rs);

/* End the snapshots of all idle readers now. */
void rsq_readers_let_go(rsq_readers *rs);

/*
 * Hand out no reader for a moment, and wait at most `timeout_ms` until all have
 * come back and let their snapshots go. False: not all have. Either way
 * rsq_readers_resume() follows.
 */
bool rsq_readers_pause(rsq_readers *rs, uint32_t timeout_ms);
void rsq_readers_resume(rsq_readers *rs);

/* The holder's, for one read: it may be cancelled when leases pause and it is older than the limit; was it?
 */
void rsq_readers_limit_age(rsq_readers *rs, rsq_reader *r);
bool rsq_readers_was_too_old(rsq_readers *rs, const rsq_reader *r);

/* Wait until each lease that is out now has come back; false: not by then, or the client that asks closes. */
bool rsq_readers_outlast(rsq_readers *rs, const rsq_client *client, int64_t deadline_ns);

/* Who has leases out, and for how long; empty: nobody. */
void rsq_readers_describe(rsq_readers *rs, char *out, size_t size);

/* What can be counted, at one moment. */
typedef struct rsq_readers_figures {
    unsigned open, leased, kept, waiting;
    uint64_t leases, replaced, statements;
    int64_t oldest_ns; /* age of the oldest lease that is out; 0: none is */
    char oldest[128];  /* its SQL, cut */
} rsq_readers_figures;

void rsq_readers_count(rsq_readers *rs, rsq_readers_figures *out);

#endif
