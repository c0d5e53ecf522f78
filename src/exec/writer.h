/*
 * The writer: the one connection that writes, and what is done with it.
 *
 * A blocking call that finds it idle takes the turn and runs where it is; all
 * others wait in line (turn.h). A turn lasts one batch, one transaction, or one
 * statement together with the statements that wait next to it, which share its
 * commit. Asynchronous writes are run by a thread of the writer's, when their
 * turn comes.
 *
 * After each commit, with the turn still held, what changed goes to the commit
 * sink: so the sink sees commits in their order. The sink is how live queries
 * learn of commits without the writer knowing of live queries.
 */
#ifndef RSQ_EXEC_WRITER_H
#define RSQ_EXEC_WRITER_H

#include "exec/checkpointer.h"
#include "exec/client.h"
#include "exec/taken.h"
#include "exec/turn.h"
#include "exec/workers.h"
#include "sql/conn.h"

typedef struct rsq_commit_sink {
    void (*fn)(void *ctx, const rsq_changes *changes); /* `changes` is borrowed for the call */
    void *ctx;
} rsq_commit_sink;

/* What became of the statements that waited. */
typedef struct rsq_group_counters {
    uint64_t groups;  /* of two and more that shared a commit */
    uint64_t members; /* in them */
} rsq_group_counters;

typedef struct rsq_writer {
    /* Immutable after rsq_writer_init(). */
    const rsq_conn_config *config;  /* borrowed; outlives the writer */
    rsq_commit_sink sink;           /* borrowed; outlives the writer */
    rsq_checkpointer *checkpointer; /* borrowed; told of each commit; NULL without a log */
    bool groups;                    /* statements may share a commit */

    rsq_turn turn;

    /* Any thread, under turn.mu. */
    rsq_group_counters counters;
    rsq_cond answered; /* the last asynchronous write of a client that closes */

    /* By who has the turn; they order nothing. */
    _Atomic uint64_t commits;
    _Atomic size_t cached; /* statements in the connection's cache after the last turn */

    /* Who has the turn. */
    rsq_conn *conn;   /* owned */
    int64_t began_ns; /* of a turn that is given back by rsq_writer_release(), if it is measured */
    rsq_taken taken;

    /* The thread for asynchronous writes. Its job is submitted by who gives it the turn. */
    rsq_workers workers;
    rsq_job drain;
} rsq_writer;

/* Takes ownership of `conn`. */
void rsq_writer_init(rsq_writer *w, const rsq_conn_config *config, rsq_conn *conn,
                     rsq_checkpointer *checkpointer, rsq_commit_sink sink);

/* Refuse new writes with RSQ_ECLOSED and send those that wait away; does not wait. */
void rsq_writer_stop(rsq_writer *w);

/* Send away those that wait of a client that closes; and wait until its asynchronous ones are answered. */
void rsq_writer_dismiss(rsq_writer *w, const rsq_client *client);
void rsq_writer_await(rsq_writer *w, rsq_client *client);

/* After stop: end the thread for asynchronous writes, when it has answered those it had begun. */
void rsq_writer_finish(rsq_writer *w);

/* After finish, with no turn out. */
void rsq_writer_fini(rsq_writer *w);

/* Take the turn. RSQ_OK, RSQ_ETIMEOUT, RSQ_ECLOSED. `client` and `sql` as in rsq_readers_acquire(). */
rsq_code rsq_writer_acquire(rsq_writer *w, const rsq_client *client, const char *sql, size_t sql_len,
                            uint32_t timeout_ms, rsq_error *err);

/*
 * Tell the sink what was committed, have the log bounded, replace a connection that an
 * error left in doubt, and give the turn to the next.
 */
void rsq_writer_release(rsq_writer *w);

/* Has nobody the turn? Then all that was committed has been told to the sink. */
bool rsq_writer_is_idle(rsq_writer *w);

/* Run one statement when its turn comes, on this thread or on that of whoever has the turn. `out` may be
 * NULL. */
rsq_code rsq_writer_execute(rsq_writer *w, const rsq_request *rq, uint32_t timeout_ms, rsq_result **out,
                            rsq_error *err);

/*
 * Put an asynchronous write of a client in line, after
 * rsq_workers_ensure(&w->workers). Its `done` is called exactly once; here, if
 * the writer has been stopped or the client closes.
 */
void rsq_writer_submit(rsq_writer *w, rsq_write *write);

/* Something that rsq_client_asked() counted is answered, and is no write in line. */
void rsq_writer_answered(rsq_writer *w, rsq_client *client);

/* What can be counted, at one moment. */
typedef struct rsq_writer_figures {
    uint64_t commits;
    rsq_group_counters groups;
    unsigned waiting;
    size_t statements;
    int64_t held_ns;  /* how long the turn has been held; 0: it is free */
    char holder[128]; /* by what SQL, cut */
} rsq_writer_figures;

void rsq_writer_count(rsq_writer *w, rsq_writer_figures *out);

#endif
