#include "exec/op.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/values.h"
#include "plat/spin.h"

static rsq_op *op_of_job(rsq_job *job)
{
    return (rsq_op *)(void *)((char *)job - offsetof(rsq_op, job));
}

static void op_unref(rsq_op *op)
{
    if (atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < op->count; i++)
        rsq_result_unref(op->results[i]);
    rsq_free(op->error);
    rsq_queue_unref(op->queue);
    rsq_stop_fini(&op->stop);
    rsq_cond_fini(&op->changed);
    rsq_mutex_fini(&op->mu);
    rsq_free(op);
}

/* --- completion --- */

static void call_done(rsq_queue_node *node, bool deliver)
{
    rsq_op *op = (rsq_op *)(void *)((char *)node - offsetof(rsq_op, node));

    if (deliver)
        op->done(op, op->ctx);
    op_unref(op);
}

static void post_done(rsq_op *op)
{
    bool closed;

    if (!op->done)
        return;
    atomic_fetch_add_explicit(&op->refs, 1, memory_order_relaxed);
    if (!rsq_queue_post(op->queue, &op->node, &closed))
        op_unref(op); /* the queue was freed: nobody is there to be told */
}

static rsq_error *copy_error(const rsq_error *why)
{
    rsq_error *copy = why ? rsq_alloc(sizeof *copy) : NULL;

    if (copy)
        *copy = *why;
    return copy;
}

/* Complete it, if that has not happened. With RSQ_OK the results are in place. */
static void complete(rsq_op *op, rsq_code code, const rsq_error *why)
{
    bool first;

    rsq_mutex_lock(&op->mu);
    first = atomic_load_explicit(&op->completed, memory_order_relaxed) == 0;
    if (first) {
        op->code = code;
        if (code != RSQ_OK)
            op->error = copy_error(why);
        atomic_store_explicit(&op->completed, 1, memory_order_relaxed);
        if (op->sleepers > 0)
            rsq_cond_broadcast(&op->changed);
    }
    rsq_mutex_unlock(&op->mu);
    if (first)
        post_done(op);
}

/* Asked to stop before it began: it need not wait for a worker to say so. */
static void stopped_early(rsq_stop *stop, rsq_code why)
{
    rsq_op *op = (rsq_op *)(void *)((char *)stop - offsetof(rsq_op, stop));
    rsq_error error;

    (void)rsq_stop_error(why, &error);
    complete(op, why, &error);
}

/* --- the run --- */

static void run_job(rsq_job *job)
{
    rsq_op *op = op_of_job(job);
    rsq_lease lease = {0};
    rsq_error error;
    rsq_code code;

    if (rsq_stop_why(&op->stop) == RSQ_OK) {
        code = rsq_core_lease(op->core, &op->requests[0], RSQ_NO_TIMEOUT, &lease, &error);
        if (code == RSQ_OK) {
            /* Nobody looks at the results before the op is complete, and only a run that began fills them. */
            code = rsq_core_select_stoppable(lease.conn, op->requests, op->count, op->shape, &op->stop,
                                             op->results, &error);
            rsq_core_release(op->core, &lease);
        }
        if (code != RSQ_OK && !op->several)
            error.row = -1;
        complete(op, code, &error);
    }
    rsq_stop_detach(&op->stop);
    op_unref(op);
}

/* --- submission --- */

static size_t align_up(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

static size_t block_size(const rsq_op_spec *spec)
{
    size_t size = align_up(sizeof(rsq_op));

    size += align_up(spec->count * sizeof(rsq_request));
    size += align_up(spec->count * sizeof(rsq_result *));
    for (size_t i = 0; i < spec->count; i++) {
        size += align_up(rsq_values_size(spec->requests[i].params, spec->requests[i].nparams));
        size += align_up(spec->requests[i].sql_len + 1);
    }
    return size;
}

/* Part the block behind the op: requests, results, then each request's values and SQL. */
static void fill_block(rsq_op *op, const rsq_op_spec *spec)
{
    char *p = (char *)op + align_up(sizeof *op);

    op->requests = (rsq_request *)(void *)p;
    p += align_up(spec->count * sizeof *op->requests);
    op->results = (rsq_result **)(void *)p;
    memset(p, 0, spec->count * sizeof *op->results);
    p += align_up(spec->count * sizeof *op->results);
    for (size_t i = 0; i < spec->count; i++) {
        rsq_request *rq = &op->requests[i];

        *rq = spec->requests[i];
        (void)rsq_values_pack(p, rq->params, rq->nparams);
        rq->params = (const rsq_value *)(void *)p;
        p += align_up(rsq_values_size(spec->requests[i].params, rq->nparams));
        memcpy(p, spec->requests[i].sql, rq->sql_len);
        p[rq->sql_len] = '\0';
        rq->sql = p;
        p += align_up(rq->sql_len + 1);
    }
}

static rsq_op *make_op(rsq_core *core, const rsq_op_spec *spec)
{
    rsq_op *op = rsq_alloc(block_size(spec));

    if (!op)
        return NULL;
    memset(op, 0, sizeof *op);
    atomic_init(&op->completed, 0);
    op->core = core;
    op->queue = spec->done ? rsq_queue_ref(spec->queue) : NULL;
    op->done = spec->done;
    op->ctx = spec->ctx;
    op->shape = spec->shape;
    op->several = spec->several;
    op->count = spec->count;
    fill_block(op, spec);
    rsq_mutex_init(&op->mu);
    rsq_cond_init(&op->changed);
    op->job.run = run_job;
    op->node.run = call_done;
    return op;
}

rsq_code rsq_op_submit(rsq_core *core, const rsq_op_spec *spec, rsq_op **out)
{
    rsq_op *op;

    if (rsq_workers_ensure(&core->op_workers, NULL) != RSQ_OK ||
        rsq_timer_ensure(&core->timer, NULL) != RSQ_OK)
        return RSQ_ENOMEM;
    op = make_op(core, spec);
    if (!op)
        return RSQ_ENOMEM;
    atomic_init(&op->refs, out ? 2 : 1); /* the handle's and the job's */
    if (out)
        *out = op;
    rsq_stop_init(&op->stop, &core->timer, spec->timeout_ms, stopped_early);
    rsq_workers_submit(&core->op_workers, &op->job);
    return RSQ_OK;
}

/* --- the handle --- */

rsq_code rsq_op_wait(rsq_op *op, uint32_t timeout_ms)
{
    rsq_spin spin = {0};
    bool in_time = true;
    int64_t deadline;
    bool done;

    if (!op)
        return RSQ_EINVAL;
    if (timeout_ms > 0)
        (void)rsq_spin_while_zero(&spin, &op->completed);
    deadline = rsq_deadline_ns(timeout_ms);
    rsq_mutex_lock(&op->mu);
    while (atomic_load_explicit(&op->completed, memory_order_relaxed) == 0 && in_time) {
        op->sleepers++;
        in_time = rsq_cond_wait_until(&op->changed, &op->mu, deadline);
        op->sleepers--;
    }
    done = atomic_load_explicit(&op->completed, memory_order_relaxed) != 0;
    rsq_mutex_unlock(&op->mu);
    return done ? RSQ_OK : RSQ_ETIMEOUT;
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
    code = atomic_load_explicit(&op->completed, memory_order_relaxed) ? op->code : RSQ_EPENDING;
    rsq_mutex_unlock(&unconst(op)->mu);
    return code;
}

const rsq_error *rsq_op_error(const rsq_op *op)
{
    const rsq_error *error;

    if (!op)
        return NULL;
    rsq_mutex_lock(&unconst(op)->mu);
    error = op->error;
    rsq_mutex_unlock(&unconst(op)->mu);
    return error;
}

rsq_result *rsq_op_take_result(rsq_op *op)
{
    rsq_result *r = NULL;

    if (!op)
        return NULL;
    rsq_mutex_lock(&op->mu);
    if (op->code == RSQ_OK && atomic_load_explicit(&op->completed, memory_order_relaxed) &&
        op->taken < op->count) {
        r = op->results[op->taken];
        op->results[op->taken++] = NULL;
    }
    rsq_mutex_unlock(&op->mu);
    return r;
}

void rsq_op_free(rsq_op *op)
{
    if (op)
        op_unref(op);
}
