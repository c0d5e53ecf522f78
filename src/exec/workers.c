#include "exec/workers.h"

#include <assert.h>

#include "base/error.h"
#include "plat/spin.h"

/* So many jobs in a row go before a patient one that waits. */
#define PATIENCE 8

void rsq_workers_init(rsq_workers *ws, unsigned max)
{
    assert(max >= 1 && max <= RSQ_WORKERS_MAX);
    *ws = (rsq_workers){.max = max};
    atomic_init(&ws->waiting, 0);
    rsq_mutex_init(&ws->mu);
    rsq_cond_init(&ws->work);
}

static void append(rsq_jobs *jobs, rsq_job *job)
{
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
}

static rsq_job *pop(rsq_jobs *jobs)
{
    rsq_job *job = jobs->first;

    if (!job)
        return NULL;
    jobs->first = job->next;
    if (!jobs->first)
        jobs->last = NULL;
    return job;
}

static rsq_job *take_locked(rsq_workers *ws)
{
    bool patient = !ws->urgent.first || (ws->patient.first && ws->passed_by >= PATIENCE);
    rsq_job *job = pop(patient ? &ws->patient : &ws->urgent);

    if (!job)
        return NULL;
    ws->passed_by = patient ? 0 : ws->passed_by + 1;
    atomic_fetch_sub_explicit(&ws->waiting, 1, memory_order_relaxed);
    return job;
}

/* Until there may be work. A submission that finds a worker spinning counts on it, so it looks again under
 * mu. */
static void rest_locked(rsq_workers *ws, rsq_spin *spin)
{
    if (ws->spinning == 0 && !ws->stopping) {
        bool found;

        ws->spinning++;
        rsq_mutex_unlock(&ws->mu);
        found = rsq_spin_while_zero(spin, &ws->waiting);
        rsq_mutex_lock(&ws->mu);
        ws->spinning--;
        if (found || ws->urgent.first || ws->patient.first || ws->stopping)
            return;
    }
    ws->idle++;
    (void)rsq_cond_wait_until(&ws->work, &ws->mu, RSQ_NO_DEADLINE);
    ws->idle--;
    /* It may have woken without a signal; then somebody is signalled once too often, never too seldom. */
    if (ws->coming > 0)
        ws->coming--;
}

static void *worker_main(void *workers)
{
    rsq_workers *ws = workers;
    rsq_spin spin = {0};
    rsq_job *job;

    rsq_mutex_lock(&ws->mu);
    if (ws->coming > 0)
        ws->coming--;
    for (;;) {
        job = take_locked(ws);
        if (job) {
            rsq_mutex_unlock(&ws->mu);
            job->run(job);
            rsq_mutex_lock(&ws->mu);
        } else if (ws->stopping) {
            break;
        } else {
            rest_locked(ws, &spin);
        }
    }
    rsq_mutex_unlock(&ws->mu);
    return NULL;
}

static bool start_one_locked(rsq_workers *ws)
{
    if (rsq_thread_start(&ws->threads[ws->started], worker_main, ws) != 0)
        return false;
    ws->started++;
    ws->coming++;
    return true;
}

rsq_code rsq_workers_ensure(rsq_workers *ws, rsq_error *err)
{
    bool have;

    rsq_mutex_lock(&ws->mu);
    have = ws->started > 0 || start_one_locked(ws);
    rsq_mutex_unlock(&ws->mu);
    return have ? RSQ_OK : rsq_error_set(err, RSQ_ENOMEM, "cannot start a thread");
}

/* One that spins, or comes, takes one job; each other job wants a thread of its own. */
static void call_for_locked(rsq_workers *ws)
{
    if (atomic_load_explicit(&ws->waiting, memory_order_relaxed) <= ws->spinning + ws->coming)
        return;
    if (ws->idle > ws->coming) {
        ws->coming++;
        rsq_cond_signal(&ws->work);
    } else if (ws->started < ws->max) {
        (void)start_one_locked(ws); /* if it cannot be, the threads there are take the job */
    }
}

static void submit(rsq_workers *ws, rsq_jobs *jobs, rsq_job *job)
{
    rsq_mutex_lock(&ws->mu);
    assert(ws->started > 0);
    append(jobs, job);
    atomic_fetch_add_explicit(&ws->waiting, 1, memory_order_relaxed);
    call_for_locked(ws);
    rsq_mutex_unlock(&ws->mu);
}

void rsq_workers_submit(rsq_workers *ws, rsq_job *job)
{
    submit(ws, &ws->urgent, job);
}

void rsq_workers_submit_patient(rsq_workers *ws, rsq_job *job)
{
    submit(ws, &ws->patient, job);
}

void rsq_workers_fini(rsq_workers *ws)
{
    rsq_mutex_lock(&ws->mu);
    ws->stopping = true;
    rsq_cond_broadcast(&ws->work);
    rsq_mutex_unlock(&ws->mu);
    for (unsigned i = 0; i < ws->started; i++)
        rsq_thread_join(ws->threads[i]);
    rsq_cond_fini(&ws->work);
    rsq_mutex_fini(&ws->mu);
}
