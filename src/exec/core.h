/*
 * The core of an open database: its connections and threads, and the routing of
 * calls to them. Handles, argument checks and live queries lie above it.
 */
#ifndef RSQ_EXEC_CORE_H
#define RSQ_EXEC_CORE_H

#include "exec/checkpointer.h"
#include "exec/readers.h"
#include "exec/stop.h"
#include "exec/timer.h"
#include "exec/workers.h"
#include "exec/writer.h"

/* The cursors that are open; see cursor.h. */
typedef struct rsq_cursors {
    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond fewer; /* one has ended */
    struct rsq_cursor *first;
    size_t count; /* of readers that they have or are about to get */
} rsq_cursors;

/* The interactive transaction that is open, if one is; see begin.h. */
typedef struct rsq_begins {
    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond none;             /* the last one is done with the core */
    struct rsq_begun *current; /* it has the turn */
    size_t ending;             /* that give it back just now */

    /*
     * The thread that began `current` and alone has used it; 0: there is none.
     * Orders nothing: it is compared with the thread that asks, and a thread
     * sees what it wrote itself.
     */
    _Atomic uintptr_t thread;
} rsq_begins;

typedef struct rsq_core {
    /* Immutable after rsq_core_open(). */
    rsq_conn_config config; /* owned copies of path and attachments */
    uint32_t lease_timeout_ms;
    uint32_t reader_age_limit_ms; /* 0: none */
    bool single;                  /* one connection serves reads and writes: the writer's */

    /* There is a writer: from the start, or since rsq_core_make_writable(). Released when it is complete. */
    _Atomic bool writable;

    /* Guarded by themselves. */
    rsq_seq seq;
    rsq_watch_board watched;       /* what live queries read; put up by src/stream */
    rsq_readers readers;           /* unless `single` */
    rsq_writer writer;             /* if `writable` */
    rsq_checkpointer checkpointer; /* if `writable` and not `single` */
    rsq_workers workers;           /* for live queries */
    rsq_workers op_workers;        /* for asynchronous calls */
    rsq_timer timer;
    rsq_cursors cursors;
    rsq_begins begins;
} rsq_core;

/* `opts` is checked and complete: every default filled in. `sink` is borrowed until the close. */
rsq_code rsq_core_open(const char *path, const rsq_open_options *opts, rsq_commit_sink sink, rsq_core **out,
                       rsq_error *err);

/*
 * Give a core that was opened read-only its writer, with those of `opts` that
 * concern nobody else. One thread at a time; others may read meanwhile.
 */
rsq_code rsq_core_make_writable(rsq_core *core, const rsq_open_options *opts, rsq_commit_sink sink,
                                rsq_error *err);

static inline bool rsq_core_is_writable(const rsq_core *core)
{
    return atomic_load_explicit(&core->writable, memory_order_acquire);
}

/* Refuse new work of a client, send away who waits for it, roll back an interactive transaction of it that
 * rests; does not wait itself. */
void rsq_core_dismiss(rsq_core *core, rsq_client *client);

/* Wait for a client's cursors, and complete the asynchronous calls that are left of it: after
 * rsq_core_dismiss(), with no call of it inside, before its queue is closed. */
void rsq_core_finish(rsq_core *core, rsq_client *client);

/* End threads, close connections, free. With no client left. */
void rsq_core_close(rsq_core *core);

/* How long a call waits for its connection: its own limit, or the database's. */
static inline uint32_t rsq_core_timeout(const rsq_core *core, uint32_t timeout_ms)
{
    return timeout_ms ? timeout_ms : core->lease_timeout_ms;
}

/* The writer's turn, as rsq_writer_acquire(), for a call of the program's: RSQ_EMISUSE if the thread would
 * wait for a transaction that it has begun itself. */
rsq_code rsq_core_take_turn(rsq_core *core, const rsq_client *client, const char *sql, size_t sql_len,
                            uint32_t timeout_ms, rsq_error *err);

/* A leased connection to read on. */
typedef struct rsq_lease {
    rsq_conn *conn;     /* borrowed until the release */
    rsq_reader *reader; /* NULL: it is the writer's */
} rsq_lease;

/* Lease a connection with a fresh snapshot; `timeout_ms` may be RSQ_NO_TIMEOUT. */
rsq_code rsq_core_lease(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_lease *out,
                        rsq_error *err);

/* The same for one rsq_conn_select() and nothing else; see rsq_conn_snapshot_alone(). */
rsq_code rsq_core_lease_alone(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_lease *out,
                              rsq_error *err);

void rsq_core_release(rsq_core *core, const rsq_lease *lease);

/* The read on the lease may be cancelled when it holds the log back for longer than its limit, if there is
 * one; and how it ended then. */
void rsq_core_limit_age(rsq_core *core, const rsq_lease *lease);
rsq_code rsq_core_age_verdict(rsq_core *core, const rsq_lease *lease, rsq_code code, rsq_error *err);

/* dispatch.c: one call each; `timeout_ms` 0 is the database's. */
rsq_code rsq_core_select(rsq_core *core, const rsq_request *rq, rsq_shape shape, uint32_t timeout_ms,
                         rsq_result **out, rsq_error *err);
/* Several on one snapshot; `results` has room for `count`. On failure none is left, and err->row says which
 * failed. */
rsq_code rsq_core_select_all(rsq_core *core, const rsq_request *requests, size_t count, uint32_t timeout_ms,
                             rsq_result **results, rsq_error *err);
/* The same on a connection that the caller holds, interrupted after `timeout_ms`; 0: no limit. */
rsq_code rsq_core_select_on(rsq_core *core, rsq_conn *conn, const rsq_request *requests, size_t count,
                            rsq_shape shape, uint32_t timeout_ms, rsq_result **results, rsq_error *err);

/* The same as one run that `stop` may end. */
rsq_code rsq_core_select_stoppable(rsq_conn *conn, const rsq_request *requests, size_t count, rsq_shape shape,
                                   rsq_stop *stop, rsq_result **results, rsq_error *err);

/* Copy the log; of a database without one nothing is copied. */
rsq_code rsq_core_checkpoint(rsq_core *core, const rsq_client *client, uint32_t mode, uint32_t timeout_ms,
                             rsq_log_figures *out, rsq_error *err);

/* RSQ_OK, or RSQ_EREADONLY. */
rsq_code rsq_core_may_write(const rsq_client *client, rsq_error *err);

rsq_code rsq_core_execute(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_result **out,
                          rsq_error *err);
rsq_code rsq_core_execute_batch(rsq_core *core, const rsq_request *rq, size_t rows, uint32_t timeout_ms,
                                rsq_result **out, rsq_error *err);
/* Several in one transaction; `results` NULL, or room for `count`. On failure none is left, and err->row says
 * which failed. */
rsq_code rsq_core_execute_all(rsq_core *core, const rsq_request *requests, size_t count, uint32_t timeout_ms,
                              rsq_result **results, rsq_error *err);
rsq_code rsq_core_execute_script(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_error *err);
rsq_code rsq_core_transaction(rsq_core *core, const rsq_client *client, rsq_tx_fn fn, void *ctx,
                              uint32_t origin, uint32_t timeout_ms, rsq_error *err);

#endif
