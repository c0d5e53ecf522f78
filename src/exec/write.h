/*
 * A write that waits for the writer: an entry in its line.
 *
 *   TURN        a thread that wants the writer for itself: a transaction, a batch.
 *   STATEMENT   one statement. Whoever has the turn runs it, together with those
 *               that stand next to it in line, so that they share a commit.
 *   WORK        something else that nobody sleeps for; the writer's own thread
 *               runs it, by itself.
 *
 * A blocking write lives on the stack of its thread, which waits behind `gate`;
 * an asynchronous one lives in its op and has `done`. Whoever takes a blocking one
 * out of WAITING for good opens its gate afterwards, and it may be gone then.
 *
 *             the turn's holder is about to run it  committed, or failed
 *   WAITING ──────────────────────────────► TAKEN ────────────────────► DONE
 *    │ │ ▲                                    │
 *    │ │ └────── not run after all ───────────┘
 *    │ └── the turn is handed to it (blocking ones) ──► GRANTED
 *    └──── closed ──► DISMISSED           its time is over: leaves the line
 */
#ifndef RSQ_EXEC_WRITE_H
#define RSQ_EXEC_WRITE_H

#include "exec/client.h"
#include "exec/queue.h"
#include "plat/gate.h"
#include "sql/conn.h"

typedef enum rsq_write_kind { RSQ_WRITE_TURN, RSQ_WRITE_STATEMENT, RSQ_WRITE_WORK } rsq_write_kind;

typedef enum rsq_write_state {
    RSQ_WRITE_WAITING,
    RSQ_WRITE_TAKEN,
    RSQ_WRITE_GRANTED,
    RSQ_WRITE_DONE,
    RSQ_WRITE_DISMISSED
} rsq_write_state;

typedef struct rsq_write {
    /* Immutable while it is in line. */
    rsq_write_kind kind;
    rsq_client *client; /* borrowed: whose it is; NULL: nobody's alone */
    const char *sql;    /* names it as the holder; borrowed until it is done */
    size_t sql_len;
    void (*run)(struct rsq_write *write, rsq_conn *conn); /* WORK */
    /* It is done or dismissed (`state` says which), and not in line any more. No lock is held. NULL: a thread
     * sleeps. */
    void (*done)(struct rsq_write *write, rsq_posts *posts);

    /* Who has the turn, while it is TAKEN; its owner before and after. STATEMENT. */
    rsq_member member;

    bool keeps_turn; /* WORK, written by its run: the turn is an interactive transaction's now */

    /* Any thread, under the writer's mutex. */
    rsq_write_state state;
    bool overdue; /* its time was over while it was TAKEN: it does not wait again */
    struct rsq_write *next;

    rsq_gate gate; /* blocking ones */
} rsq_write;

/* The line: first come, first served. Under the writer's mutex. */
typedef struct rsq_writes {
    rsq_write *first, *last;
    size_t count;
} rsq_writes;

void rsq_writes_append(rsq_writes *ws, rsq_write *write);
rsq_write *rsq_writes_pop(rsq_writes *ws); /* NULL: empty */
void rsq_writes_remove(rsq_writes *ws, rsq_write *write);

#endif
