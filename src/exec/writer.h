/*
 * The writer: the one connection that writes, and whose turn it is.
 *
 * Whoever holds it runs on its own thread; the others wait in line. A turn
 * lasts one statement, one batch or one transaction, and after each commit, with
 * the turn still held, what changed goes to the commit sink: so the sink sees
 * commits in their order. The sink is how live queries learn of commits without
 * the writer knowing of live queries.
 */
#ifndef RSQ_EXEC_WRITER_H
#define RSQ_EXEC_WRITER_H

#include "exec/holder.h"
#include "exec/line.h"
#include "exec/readers.h"
#include "sql/conn.h"

typedef struct rsq_commit_sink {
    void (*fn)(void *ctx, const rsq_changes *changes); /* `changes` is borrowed for the call */
    void *ctx;
} rsq_commit_sink;

typedef struct rsq_writer {
    /* Immutable after rsq_writer_init(). */
    const rsq_conn_config *config; /* borrowed; outlives the writer */
    rsq_commit_sink sink;          /* borrowed; outlives the writer */
    rsq_readers *readers;          /* borrowed; asked to let go before a checkpoint; NULL without a log */

    /* Any thread, under mu. */
    rsq_mutex mu;
    bool held;
    rsq_holder holder;
    rsq_line waiting;
    bool stopping;

    /* Who has the turn. */
    rsq_conn *conn; /* owned */
} rsq_writer;

/* Takes ownership of `conn`. */
void rsq_writer_init(rsq_writer *w, const rsq_conn_config *config, rsq_conn *conn, rsq_readers *readers,
                     rsq_commit_sink sink);
void rsq_writer_stop(rsq_writer *w);
void rsq_writer_fini(rsq_writer *w);

/* Take the turn. RSQ_OK, RSQ_ETIMEOUT, RSQ_ECLOSED. `sql` as in rsq_readers_acquire(). */
rsq_code rsq_writer_acquire(rsq_writer *w, const char *sql, size_t sql_len, uint32_t timeout_ms,
                            rsq_error *err);

/*
 * Tell the sink what was committed, bound the log, replace a connection that an
 * error left in doubt, and give the turn to the next.
 */
void rsq_writer_release(rsq_writer *w);

#endif
