#include "exec/op.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pool.h"
#include "base/values.h"
#include "exec/begin.h"
#include "exec/chunks.h"
#include "exec/op_tx.h"
#include "exec/op_write.h"
#include "exec/tx.h"
#include "plat/spin.h"

/*
 * An op and all that it copies is one block, recycled, so that submitting a call
 * with small parameters allocates nothing once the program runs. The largest
 * size, 128 KiB, holds an op with as many parameters as are kept and some SQL.
 */
static rsq_pool ops = RSQ_POOL_INIT(512, 9, (size_t)16 << 20);

static rsq_op *op_of_job(rsq_job *job)
{
    return (rsq_op *)(void *)((char *)job - offsetof(rsq_op, job));
}

void rsq_op_ref(rsq_op *op)
{
    atomic_fetch_add_explicit(&op->refs, 1, memory_order_relaxed);
}

void rsq_op_unref(rsq_op *op)
{
    if (atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1)
        return;
    /* Nobody has taken it, and nobody can any more. */
    if (op->begun)
        (void)rsq_begun_rollback(op->begun->begun, NULL);
    for (size_t i = 0; i < op->count; i++)
        rsq_result_unref(op->results[i]);
    rsq_free(op->error);
    rsq_queue_unref(op->queue);
    if (op->chunks)
        rsq_chunks_fini(op->chunks);
    rsq_stop_fini(&op->stop);
    rsq_cond_fini(&op->changed);
    rsq_mutex_fini(&op->mu);
    rsq_pool_give(&ops, op, op->capacity);
}

/* --- completion --- */

/* False: the queue is closed, and nobody is there to be told. */
static bool post_done(rsq_op *op)
{
    bool closed;

    if (!op->done)
        return true;
    rsq_op_ref(op);
    if (rsq_queue_post(op->queue, &op->node, &closed))
        return true;
    rsq_op_unref(op);
    return !closed; /* it waits there already */
}

static bool completed_locked(const rsq_op *op)
{
    return atomic_load_explicit(&op->completed, memory_order_relaxed) != 0;
}

/* Is there a chunk to be taken? */
static bool chunk_waits_locked(const rsq_op *op)
{
    return op->chunks && !op->hidden && op->results[0];
}

/* What came is there for everybody: wake who waits; who calls `done` is the caller's to tell. */
static void show_locked(rsq_op *op)
{
    op->hidden = false;
    if (op->over)
        atomic_store_explicit(&op->completed, 1, memory_order_relaxed);
    if (op->sleepers > 0)
        rsq_cond_broadcast(&op->changed);
}

/*
 * `done` of a read in chunks: while it runs the op does not change under it. A
 * chunk that was taken before by somebody else is no reason to call it, nor is
 * an end that it was told of.
 */
static bool begin_call(rsq_op *op)
{
    bool call;

    rsq_mutex_lock(&op->mu);
    call = !op->told && (completed_locked(op) || chunk_waits_locked(op));
    if (call) {
        op->told = completed_locked(op);
        op->calling = rsq_thread_self();
    }
    rsq_mutex_unlock(&op->mu);
    return call;
}

/* True: something came meanwhile. */
static bool end_call(rsq_op *op)
{
    bool more;

    rsq_mutex_lock(&op->mu);
    op->calling = 0;
    more = op->hidden;
    if (more)
        show_locked(op);
    rsq_mutex_unlock(&op->mu);
    return more;
}

static void call_done_in_chunks(rsq_op *op)
{
    while (begin_call(op)) {
        op->done(op, op->ctx);
        /* A queue that `done` closed together with its database takes no more: it is told here and now. */
        if (!end_call(op) || post_done(op))
            break;
    }
}

static bool call_done(rsq_queue_node *node, bool deliver)
{
    rsq_op *op = (rsq_op *)(void *)((char *)node - offsetof(rsq_op, node));

    if (deliver && op->chunks)
        call_done_in_chunks(op);
    else if (deliver)
        op->done(op, op->ctx);
    rsq_op_unref(op);
    return deliver;
}

/* Something came: show it, or keep it while `done` runs. True: `done` is to be called. */
static bool came_locked(rsq_op *op)
{
    if (op->calling) {
        op->hidden = true;
        return false;
    }
    show_locked(op);
    return true;
}

bool rsq_op_settle(rsq_op *op, rsq_code code, const rsq_error *why)
{
    rsq_result *dropped = NULL;
    bool tell = false;

    rsq_mutex_lock(&op->mu);
    if (!op->over) {
        op->over = true;
        op->code = code;
        if (code != RSQ_OK) {
            op->error = rsq_error_copy(why);
            dropped = op->results[0]; /* a chunk that waits */
            op->results[0] = NULL;
        }
        tell = came_locked(op);
    }
    rsq_mutex_unlock(&op->mu);
    rsq_result_unref(dropped);
    return tell && op->done;
}

void rsq_op_complete(rsq_op *op, rsq_code code, const rsq_error *why)
{
    if (rsq_op_settle(op, code, why))
        (void)post_done(op);
}

void rsq_op_hand_over(rsq_op *op, rsq_result *chunk, bool last)
{
    bool tell = false;

    rsq_mutex_lock(&op->mu);
    if (!op->over) {
        op->results[0] = chunk;
        chunk = NULL;
        op->over = last;
        tell = came_locked(op);
    }
    rsq_mutex_unlock(&op->mu);
    rsq_result_unref(chunk); /* ended meanwhile */
    if (tell)
        (void)post_done(op);
}

/* Asked to stop before it began: it need not wait for a worker to say so. */
static void stopped_early(rsq_stop *stop, rsq_code why)
{
    rsq_op *op = (rsq_op *)(void *)((char *)stop - offsetof(rsq_op, stop));
    rsq_error error;

    (void)rsq_stop_error(why, &error);
    rsq_op_complete(op, why, &error);
    if (op->chunks)
        rsq_chunks_stopped(op->chunks, &error);
}

/* --- the run --- */

static void run_whole(rsq_op *op)
{
    rsq_lease lease = {0};
    rsq_error error;
    rsq_code code;

    if (rsq_stop_why(&op->stop) == RSQ_OK) {
        code = rsq_core_lease(op->core, &op->requests[0], RSQ_NO_TIMEOUT, &lease, &error);
        if (code == RSQ_OK) {
            rsq_core_limit_age(op->core, &lease);
            /* Nobody looks at the results before the op is complete, and only a run that began fills them. */
            code = rsq_core_select_stoppable(lease.conn, op->requests, op->count, op->shape, &op->stop,
                                             op->results, &error);
            code = rsq_core_age_verdict(op->core, &lease, code, &error);
            rsq_core_release(op->core, &lease);
        }
        if (code != RSQ_OK && !op->several)
            error.row = -1;
        rsq_op_complete(op, code, &error);
    }
    rsq_stop_detach(&op->stop);
}

static void run_job(rsq_job *job)
{
    rsq_op *op = op_of_job(job);

    if (op->chunks)
        rsq_chunks_run(op->chunks);
    else
        run_whole(op);
    rsq_op_unref(op);
}

/* --- submission --- */

static size_t align_up(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

/* Of a batch `rows` rows, else one. */
static size_t values_size(const rsq_request *rq, size_t rows)
{
    return rq->named ? rsq_named_size(rq->named, rq->nparams)
                     : rsq_values_size(rq->params, rows * rq->nparams);
}

static void pack_values(rsq_request *rq, size_t rows, char *to)
{
    if (rq->named) {
        rsq_named_pack(to, rq->named, rq->nparams);
        rq->named = (const rsq_named *)(void *)to;
    } else {
        (void)rsq_values_pack(to, rq->params, rows * rq->nparams);
        rq->params = (const rsq_value *)(void *)to;
    }
}

static size_t rows_of(const rsq_op_spec *spec)
{
    return spec->kind == RSQ_OP_BATCH ? spec->rows : 1;
}

/* In the writer's. */
static bool waits_in_line(const rsq_op_spec *spec)
{
    return spec->kind != RSQ_OP_READ && !spec->tx;
}

/* `*packed`: bytes of the parameters in it. */
static size_t block_size(const rsq_op_spec *spec, size_t *packed)
{
    size_t size = align_up(sizeof(rsq_op));

    size += align_up(spec->count * sizeof(rsq_request));
    size += align_up(spec->count * sizeof(rsq_result *));
    size += spec->chunk_rows ? align_up(sizeof(rsq_chunks)) : 0;
    size += waits_in_line(spec) ? align_up(sizeof(rsq_op_write)) : 0;
    *packed = 0;
    for (size_t i = 0; i < spec->count; i++) {
        *packed += values_size(&spec->requests[i], rows_of(spec));
        size += align_up(values_size(&spec->requests[i], rows_of(spec)));
        size += align_up(spec->requests[i].sql_len + 1);
    }
    return size;
}

/* Part the block behind the op: requests, results, what a read in chunks or a write needs, then each
 * request's values and SQL. */
static void fill_block(rsq_op *op, const rsq_op_spec *spec)
{
    char *p = (char *)op + align_up(sizeof *op);

    op->requests = (rsq_request *)(void *)p;
    p += align_up(spec->count * sizeof *op->requests);
    op->results = (rsq_result **)(void *)p;
    memset(p, 0, spec->count * sizeof *op->results);
    p += align_up(spec->count * sizeof *op->results);
    if (spec->chunk_rows) {
        op->chunks = (rsq_chunks *)(void *)p;
        memset(p, 0, sizeof *op->chunks);
        p += align_up(sizeof *op->chunks);
    }
    if (waits_in_line(spec)) {
        op->write = (rsq_op_write *)(void *)p;
        memset(p, 0, sizeof *op->write);
        p += align_up(sizeof *op->write);
    }
    for (size_t i = 0; i < spec->count; i++) {
        rsq_request *rq = &op->requests[i];

        *rq = spec->requests[i];
        rq->client = spec->client;
        pack_values(rq, rows_of(spec), p);
        p += align_up(values_size(&spec->requests[i], rows_of(spec)));
        memcpy(p, spec->requests[i].sql, rq->sql_len);
        p[rq->sql_len] = '\0';
        rq->sql = p;
        p += align_up(rq->sql_len + 1);
    }
}

static rsq_op *make_op(rsq_core *core, const rsq_op_spec *spec)
{
    size_t packed;
    size_t capacity = block_size(spec, &packed);
    rsq_op *op =
        packed <= RSQ_OP_PACKED_KEPT ? rsq_pool_take(&ops, capacity, &capacity) : rsq_alloc(capacity);

    if (!op)
        return NULL;
    memset(op, 0, sizeof *op);
    op->capacity = capacity;
    atomic_init(&op->completed, 0);
    op->core = core;
    op->no_spin = (core->config.flags & RSQ_OPEN_NO_SPIN) != 0;
    op->queue = spec->done ? rsq_queue_ref(spec->queue) : NULL;
    op->done = spec->done;
    op->ctx = spec->ctx;
    op->shape = spec->shape;
    op->several = spec->several;
    op->kind = spec->kind;
    op->rows = spec->rows;
    op->tx = spec->tx;
    op->count = spec->count;
    fill_block(op, spec);
    rsq_mutex_init(&op->mu);
    rsq_cond_init(&op->changed);
    op->job.run = spec->tx ? rsq_op_tx_run : run_job;
    op->job.owner = spec->client;
    op->node.run = call_done;
    return op;
}

/* The threads that it needs. */
static bool have_threads(rsq_core *core, const rsq_op_spec *spec)
{
    bool reader = spec->kind == RSQ_OP_READ && !spec->tx;
    rsq_workers *workers = reader ? &core->op_workers : &core->writer.workers;

    return rsq_workers_ensure(workers, NULL) == RSQ_OK && rsq_timer_ensure(&core->timer, NULL) == RSQ_OK;
}

rsq_code rsq_op_submit(rsq_core *core, const rsq_op_spec *spec, rsq_op **out)
{
    rsq_op *op;

    if (!have_threads(core, spec))
        return RSQ_ENOMEM;
    op = make_op(core, spec);
    if (!op)
        return RSQ_ENOMEM;
    atomic_init(&op->refs, out ? 2 : 1); /* the handle's and the job's */
    if (op->chunks)
        rsq_chunks_init(op->chunks, op, spec->chunk_rows, spec->idle_ms);
    if (op->write)
        rsq_op_write_init(op->write, op, spec);
    if (out)
        *out = op;
    rsq_stop_init(&op->stop, &core->timer, spec->timeout_ms, stopped_early);
    if (op->write)
        rsq_writer_submit(&core->writer, &op->write->write);
    else if (op->tx)
        rsq_workers_submit(&core->writer.workers, &op->job);
    else
        rsq_workers_submit(&core->op_workers, &op->job);
    return RSQ_OK;
}

/* --- the handle --- */

static bool sleep_locked(rsq_op *op, int64_t deadline_ns)
{
    bool in_time;

    op->sleepers++;
    in_time = rsq_cond_wait_until(&op->changed, &op->mu, deadline_ns);
    op->sleepers--;
    return in_time;
}

/*
 * Does it wait for the writer's connection, which a transaction of this thread has? Then that would wait for
 * it. As long as the op is not complete, its core is there.
 */
static bool waits_for_us_locked(const rsq_op *op)
{
    return (op->write || (op->core->single && !op->tx)) &&
           (rsq_tx_here(op->core) || rsq_begun_check_wait(op->core, NULL) != RSQ_OK);
}

rsq_code rsq_op_wait(rsq_op *op, uint32_t timeout_ms)
{
    rsq_spin spin = {0};
    rsq_code code = RSQ_OK;
    int64_t deadline;

    if (!op)
        return RSQ_EINVAL;
    if (timeout_ms > 0 && !op->chunks && !op->no_spin)
        (void)rsq_spin_while_zero(&spin, &op->completed);
    deadline = rsq_deadline_ns(timeout_ms);
    rsq_mutex_lock(&op->mu);
    while (!completed_locked(op) && !chunk_waits_locked(op) && code == RSQ_OK) {
        /* Nothing more is shown before its own `done` has returned. */
        if (op->calling == rsq_thread_self() || (timeout_ms > 0 && waits_for_us_locked(op)))
            code = RSQ_EMISUSE;
        else
            /* A wait whose time is over would still be a system call. */
            code = timeout_ms > 0 && sleep_locked(op, deadline) ? RSQ_OK : RSQ_ETIMEOUT;
    }
    if (code == RSQ_ETIMEOUT && (completed_locked(op) || chunk_waits_locked(op)))
        code = RSQ_OK;
    rsq_mutex_unlock(&op->mu);
    return code;
}

void rsq_op_cancel(rsq_op *op)
{
    if (op)
        rsq_stop_ask(&op->stop, RSQ_ECANCELLED);
}

/* Reading a handle takes its lock, whatever its constness says about its value. */
static rsq_op *unconst(const rsq_op *op)
{
    return (rsq_op *)(uintptr_t)op;
}

rsq_code rsq_op_status(const rsq_op *op)
{
    rsq_code code;

    if (!op)
        return RSQ_EINVAL;
    rsq_mutex_lock(&unconst(op)->mu);
    code = completed_locked(op) ? op->code : RSQ_EPENDING;
    rsq_mutex_unlock(&unconst(op)->mu);
    return code;
}

const rsq_error *rsq_op_error(const rsq_op *op)
{
    const rsq_error *error;

    if (!op)
        return NULL;
    rsq_mutex_lock(&unconst(op)->mu);
    error = completed_locked(op) ? op->error : NULL;
    rsq_mutex_unlock(&unconst(op)->mu);
    return error;
}

rsq_result *rsq_op_take_result(rsq_op *op)
{
    rsq_result *r = NULL;
    bool go_on = false;

    if (!op)
        return NULL;
    rsq_mutex_lock(&op->mu);
    if (chunk_waits_locked(op)) {
        r = op->results[0];
        op->results[0] = NULL;
        go_on = !op->over;
    } else if (!op->chunks && op->code == RSQ_OK && completed_locked(op) && op->taken < op->count) {
        r = op->results[op->taken];
        op->results[op->taken++] = NULL;
    }
    rsq_mutex_unlock(&op->mu);
    if (go_on)
        rsq_chunks_go_on(op->chunks);
    return r;
}

rsq_tx *rsq_op_take_tx(rsq_op *op)
{
    rsq_tx *tx = NULL;

    if (!op)
        return NULL;
    rsq_mutex_lock(&op->mu);
    if (completed_locked(op) && op->code == RSQ_OK) {
        tx = op->begun;
        op->begun = NULL;
    }
    rsq_mutex_unlock(&op->mu);
    return tx;
}

void rsq_op_free(rsq_op *op)
{
    if (!op)
        return;
    /* Nobody is left to take its chunks. */
    if (op->chunks)
        rsq_stop_ask(&op->stop, RSQ_ECANCELLED);
    rsq_op_unref(op);
}
