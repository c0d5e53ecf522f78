#include "exec/workers.h"

#include <assert.h>

#include "base/error.h"
#include "base/profile.h"
#include "plat/spin.h"

/* So many jobs in a row go before a patient one that waits. */
#define PATIENCE 8

void rsq_workers_init(rsq_workers *ws, unsigned max, uint32_t flags)
{
    assert(max >= 1 && max <= RSQ_WORKERS_MAX);
    *ws = (rsq_workers){.max = max, .no_spin = (flags & RSQ_OPEN_NO_SPIN) != 0};
    atomic_init(&ws->waiting, 0);
    rsq_mutex_init(&ws->mu);
    rsq_cond_init(&ws->work);
    rsq_cond_init(&ws->ended);
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
    ws->passed_by = patient || !ws->patient.first ? 0 : ws->passed_by + 1;
    atomic_fetch_sub_explicit(&ws->waiting, 1, memory_order_relaxed);
    return job;
}

/* Until there may be work. A submission that finds a worker spinning counts on it, so it looks again under
 * mu. */
static void rest_locked(rsq_workers *ws, rsq_spin *spin)
{
    int64_t began = rsq_profile_begin();
    bool looked = false;

    if (ws->spinning == 0 && !ws->stopping && !ws->no_spin) {
        bool found;

        looked = true;
        ws->spinning++;
        rsq_mutex_unlock(&ws->mu);
        found = rsq_spin_while_zero(spin, &ws->waiting);
        rsq_mutex_lock(&ws->mu);
        ws->spinning--;
        rsq_profile_end(RSQ_TIME_WORKERS_SPINNING, began);
        rsq_profile_count(RSQ_COUNT_WORKERS_SPIN_HITS, found);
        began = rsq_profile_begin();
        if (found || ws->urgent.first || ws->patient.first || ws->stopping)
            return;
    }
    ws->idle++;
    (void)rsq_cond_wait_until(&ws->work, &ws->mu, RSQ_NO_DEADLINE);
    ws->idle--;
    if (looked)
        rsq_spin_slept(spin, ws->called_ns);
    rsq_profile_end(RSQ_TIME_WORKERS_ASLEEP, began);
    /* It may have woken without a signal; then somebody is signalled once too often, never too seldom. */
    if (ws->signalled > 0)
        ws->signalled--;
}

static void run_locked(rsq_workers *ws, rsq_job *job)
{
    rsq_busy self = {.owner = job->owner, .next = ws->busy, .link = &ws->busy};

    if (self.next)
        self.next->link = &self.next;
    ws->busy = &self;
    rsq_mutex_unlock(&ws->mu);
    job->run(job);
    rsq_mutex_lock(&ws->mu);
    *self.link = self.next;
    if (self.next)
        self.next->link = self.link;
    if (ws->finishers > 0)
        rsq_cond_broadcast(&ws->ended);
}

static void *worker_main(void *workers)
{
    rsq_workers *ws = workers;
    rsq_spin spin = {0};
    rsq_job *job;

    rsq_mutex_lock(&ws->mu);
    ws->starting--;
    for (;;) {
        job = take_locked(ws);
        if (job) {
            run_locked(ws, job);
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
    ws->starting++;
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
    unsigned coming = ws->signalled + ws->starting;

    if (atomic_load_explicit(&ws->waiting, memory_order_relaxed) <= ws->spinning + coming)
        return;
    if (ws->idle > ws->signalled) {
        ws->called_ns = rsq_now_ns();
        ws->signalled++;
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

/* The first job of an owner, out of a line. */
static rsq_job *take_of(rsq_jobs *jobs, const void *owner)
{
    rsq_job *before = NULL;
    rsq_job *job = jobs->first;

    while (job && job->owner != owner) {
        before = job;
        job = job->next;
    }
    if (!job || !before)
        return job ? pop(jobs) : NULL;
    before->next = job->next;
    if (jobs->last == job)
        jobs->last = before;
    return job;
}

static rsq_job *take_of_locked(rsq_workers *ws, const void *owner)
{
    rsq_job *job = take_of(&ws->urgent, owner);

    if (!job)
        job = take_of(&ws->patient, owner);
    if (job)
        atomic_fetch_sub_explicit(&ws->waiting, 1, memory_order_relaxed);
    return job;
}

static bool runs_for_locked(const rsq_workers *ws, const void *owner)
{
    for (const rsq_busy *b = ws->busy; b; b = b->next) {
        if (b->owner == owner)
            return true;
    }
    return false;
}

void rsq_workers_finish(rsq_workers *ws, const void *owner)
{
    rsq_job *job;

    rsq_mutex_lock(&ws->mu);
    ws->finishers++;
    for (;;) {
        job = take_of_locked(ws, owner);
        if (job)
            run_locked(ws, job);
        else if (runs_for_locked(ws, owner))
            (void)rsq_cond_wait_until(&ws->ended, &ws->mu, RSQ_NO_DEADLINE);
        else
            break;
    }
    ws->finishers--;
    rsq_mutex_unlock(&ws->mu);
}

void rsq_workers_fini(rsq_workers *ws)
{
    rsq_mutex_lock(&ws->mu);
    ws->stopping = true;
    rsq_cond_broadcast(&ws->work);
    rsq_mutex_unlock(&ws->mu);
    for (unsigned i = 0; i < ws->started; i++)
        rsq_thread_join(ws->threads[i]);
    rsq_cond_fini(&ws->ended);
    rsq_cond_fini(&ws->work);
    rsq_mutex_fini(&ws->mu);
}

void rsq_workers_count(rsq_workers *ws, size_t *waiting, size_t *running)
{
    rsq_mutex_lock(&ws->mu);
    *waiting = atomic_load_explicit(&ws->waiting, memory_order_relaxed);
    *running = 0;
    for (const rsq_busy *b = ws->busy; b; b = b->next)
        (*running)++;
    rsq_mutex_unlock(&ws->mu);
}
