/*
 * What keeps the write-ahead log short.
 *
 * A thread with a connection of its own copies the log into the database each
 * time it has grown by so much, beside readers and writer (a passive
 * checkpoint). That alone does not bound the log: it begins anew only when all of
 * it was copied and no reader uses it at the moment of a commit. So when it has
 * grown long, the thread takes the writer's turn like any other writer, has no
 * reader handed out for a moment, copies the tail, and gives both back: the
 * next commit begins the log anew. Readers that come after the copy read the
 * database file itself, which does not hold the log.
 *
 *   writer ── log has grown ──► asked ──► pass: copy ── long? ──► turn, pause, copy the tail
 *
 * Rejected: copying on the thread whose commit made the log grow, which made
 * one commit in a few hundred as slow as the disk.
 *
 * Without a log (a database in memory, or opened read-only) there is none of this.
 */
#ifndef RSQ_EXEC_CHECKPOINTER_H
#define RSQ_EXEC_CHECKPOINTER_H

#include <stdatomic.h>

#include "exec/readers.h"

struct rsq_cursors;
struct rsq_writer;

/* What happened since the file was opened, and what the last pass found. */
typedef struct rsq_checkpoint_counts {
    uint64_t passes;
    uint64_t restarts; /* of those, copied everything while no reader used the log */
    uint64_t blocked;  /* attempts at that which a reader did not let happen */
    uint64_t failed;
} rsq_checkpoint_counts;

typedef struct rsq_checkpointer {
    /* Immutable after rsq_checkpointer_init(). */
    const rsq_conn_config *config; /* borrowed; outlives it, like the next three */
    rsq_readers *readers;
    struct rsq_cursors *cursors;
    struct rsq_writer *writer;
    uint32_t page_size;

    /* Pages of the log after the last commit. Written by who has the turn; orders nothing. */
    _Atomic uint32_t pages;

    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond changed;
    bool started;
    bool stopping;
    bool asked;      /* the log has grown */
    bool busy;       /* somebody makes a pass, and has `conn` */
    bool copying;    /* and copies just now, without the turn, */
    bool wants_turn; /* or waits for the turn */
    rsq_checkpoint_counts counts;

    /* Who is busy. */
    rsq_conn *conn;      /* owned; NULL: not open */
    uint64_t restart_at; /* pages of the log from which a pass tries to have it begin anew */

    rsq_thread thread; /* immutable once started */
} rsq_checkpointer;

void rsq_checkpointer_init(rsq_checkpointer *ck, const rsq_conn_config *config, rsq_readers *readers,
                           struct rsq_cursors *cursors, struct rsq_writer *writer, uint32_t page_size);

/* No pass begins any more; does not wait. */
void rsq_checkpointer_stop(rsq_checkpointer *ck);

/* A client closes: who waits for it looks again. */
void rsq_checkpointer_dismiss(rsq_checkpointer *ck);

/* Join and close. After the stop of the writer, for whose turn it may wait. */
void rsq_checkpointer_fini(rsq_checkpointer *ck);

/*
 * After a commit, with the turn: note how long the log of the writer's connection
 * is, and have it copied. Of an overlong one it waits until the turn is wanted:
 * a disk that is slower than the writers must not make a log without end.
 */
void rsq_checkpointer_note(rsq_checkpointer *ck, rsq_conn *writing);

/* rsq_checkpoint(), on the calling thread. `out` is written in any case. */
rsq_code rsq_checkpointer_run(rsq_checkpointer *ck, const rsq_client *client, uint32_t mode,
                              uint32_t timeout_ms, rsq_log_figures *out, rsq_error *err);

void rsq_checkpointer_count(rsq_checkpointer *ck, rsq_checkpoint_counts *out);

#endif
