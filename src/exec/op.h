/*
 * The inside of an rsq_op: a read that runs on a worker, or a write that waits in
 * the writer's line (op_write.h).
 *
 *             worker has a reader              ends
 *   WAITING ───────────────────────► RUNNING ───────► DONE ──► done callback, once
 *      │                                                ▲
 *      └────── cancelled, deadline, closed ─────────────┘
 *
 * Whoever takes it to DONE (its worker, the thread that cancels, the timer's)
 * owns the outcome; all others find it done and leave it alone. Its job runs
 * in any case, so the op outlives all that the workers and the timer hold of it.
 *
 * A read in chunks calls back for each chunk as well; chunks.h says how it runs.
 * While its callback runs, the op looks the same to everybody: what comes then,
 * the next chunk or the end, is shown when the callback has returned.
 */
#ifndef RSQ_EXEC_OP_H
#define RSQ_EXEC_OP_H

#include "exec/core.h"
#include "exec/queue.h"
#include "exec/stop.h"

typedef enum rsq_op_kind {
    RSQ_OP_READ,
    RSQ_OP_EXECUTE, /* one statement */
    RSQ_OP_BATCH,   /* one statement for each of `rows` rows of parameters */
    RSQ_OP_ALL,     /* several, in one transaction */
    RSQ_OP_SCRIPT,  /* the same in one text, without results */
    RSQ_OP_BEGIN,   /* an interactive transaction */
    /* On an interactive transaction, `tx`, as those above may be, but for the last. */
    RSQ_OP_SAVEPOINT,
    RSQ_OP_RELEASE,
    RSQ_OP_ROLLBACK_TO,
    RSQ_OP_COMMIT,
    RSQ_OP_ROLLBACK
} rsq_op_kind;

/* Bytes of parameters up to which an op's block is recycled. */
#define RSQ_OP_PACKED_KEPT ((size_t)65536)

struct rsq_op {
    /* The handle, the job, a reader between chunks, a place in the queue hold one each. Release on drop,
     * acquire by the one that frees. */
    _Atomic uint32_t refs;

    /* Immutable after rsq_op_submit(). */
    rsq_core *core;   /* borrowed; used by the job only, which ends before the core does */
    rsq_queue *queue; /* owned reference; NULL without `done` */
    rsq_op_done done;
    void *ctx; /* the caller's, borrowed until `done` has returned */
    rsq_shape shape;
    uint32_t timeout_ms;
    rsq_op_kind kind;
    size_t rows;                /* of a batch */
    rsq_tx *tx;                 /* borrowed: it is a call on that one, which is kept while the job waits */
    bool several;               /* rsq_select_all_async(): an error names the query */
    size_t count;               /* of requests */
    rsq_request *requests;      /* in the op's own block, SQL and parameters too */
    struct rsq_chunks *chunks;  /* in the op's own block; NULL: the result comes whole */
    struct rsq_op_write *write; /* in the op's own block; NULL: a read */
    size_t capacity;            /* of the block */
    bool no_spin;               /* RSQ_OPEN_NO_SPIN; the core may be gone when it is looked at */

    rsq_stop stop; /* guarded by itself */

    /*
     * Any thread, under mu; `completed` is set under it and read without by
     * those who spin: they take mu before they look at anything else.
     */
    rsq_mutex mu;
    rsq_cond changed;
    unsigned sleepers;
    _Atomic size_t completed; /* 0 or 1 */
    bool over;                /* the outcome is settled; shown, when `completed` */
    bool hidden;              /* something came while `done` ran */
    bool told;                /* `done` was called for the end */
    uintptr_t calling;        /* the thread on which `done` runs, of a read in chunks; 0: none */
    rsq_code code;
    rsq_error *error; /* owned; NULL: none, or no memory for it */
    /* `count` in the op's own block, each owned until taken; of a read in chunks the one that waits. */
    rsq_result **results;
    size_t taken;
    rsq_tx *begun; /* owned until taken: what RSQ_OP_BEGIN has begun; in place before it is settled */

    rsq_job job;         /* the workers' while it waits */
    rsq_queue_node node; /* the queue's while it waits */
};

typedef struct rsq_op_spec {
    rsq_client *client; /* borrowed until it is complete */
    rsq_op_kind kind;
    rsq_tx *tx;                  /* borrowed: a call on that one, which rsq_begun_ask() has admitted */
    size_t rows;                 /* of a batch */
    const rsq_request *requests; /* `count` of them, checked; borrowed and copied */
    size_t count;
    bool several; /* the caller gave a list of queries, if only of one */
    rsq_shape shape;
    uint32_t timeout_ms;
    size_t chunk_rows; /* 0: whole; else `count` is 1 */
    uint32_t idle_ms;
    rsq_queue *queue; /* borrowed */
    rsq_op_done done;
    void *ctx;
} rsq_op_spec;

/* Hand it to the workers. RSQ_OK (`*out`, unless NULL, written before), or RSQ_ENOMEM. */
rsq_code rsq_op_submit(rsq_core *core, const rsq_op_spec *spec, rsq_op **out);

/* Complete it, if that has not happened. With RSQ_OK the results are in place. */
void rsq_op_complete(rsq_op *op, rsq_code code, const rsq_error *why);

/* The same, but for the call of `done`. True: that is the caller's to post. */
bool rsq_op_settle(rsq_op *op, rsq_code code, const rsq_error *why);

/* Show the next chunk, which is transferred; `last`: and complete with RSQ_OK. */
void rsq_op_hand_over(rsq_op *op, rsq_result *chunk, bool last);

/* One more, and one less, that holds the op. */
void rsq_op_ref(rsq_op *op);
void rsq_op_unref(rsq_op *op);

#endif
