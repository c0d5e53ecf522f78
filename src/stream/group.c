#include "stream/group.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/plant.h"
#include "base/profile.h"
#include "stream/delivery.h"
#include "stream/run.h"
#include "stream/streams.h"

static void run_group(rsq_job *job);

rsq_group *rsq_group_new(rsq_streams *owner, uint32_t client, uint32_t number, rsq_queue *queue)
{
    rsq_group *g = rsq_alloc_zero(sizeof *g);

    if (!g)
        return NULL;
    g->number = number;
    g->client = client;
    atomic_fetch_add_explicit(&owner->refs, 1, memory_order_relaxed);
    g->owner = owner;
    g->queue = rsq_queue_ref(queue);
    atomic_init(&g->refs, 1);
    g->job.run = run_group;
    g->node.run = rsq_group_deliver;
    return g;
}

rsq_group *rsq_group_ref(rsq_group *g)
{
    if (g)
        atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void rsq_group_unref(rsq_group *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(!g->lives && !g->ready && !g->taken);
    rsq_queue_unref(g->queue);
    rsq_streams_unref(g->owner);
    rsq_free(g);
}

void rsq_group_add_locked(rsq_group *g, rsq_live *live)
{
    live->group_next = g->lives;
    g->lives = live;
}

void rsq_group_remove_locked(rsq_group *g, rsq_live *live)
{
    rsq_live **at = &g->lives;

    while (*at != live)
        at = &(*at)->group_next;
    *at = live->group_next;
    live->group_next = NULL;
}

void rsq_group_queue_locked(rsq_group *g)
{
    if (g->active)
        return; /* its end sees that something is queued */
    g->active = true;
    rsq_group_ref(g);
    rsq_workers_submit(&g->owner->core->workers, &g->job);
}

/* --- the run --- */

/* The members that are read in one snapshot. */
typedef struct batch {
    rsq_run *runs; /* owned */
    size_t count;
    size_t capacity;
} batch;

static void take_locked(batch *b, rsq_live *live)
{
    atomic_fetch_add_explicit(&live->refs, 1, memory_order_relaxed);
    rsq_run_begin_locked(&b->runs[b->count++], live);
}

static bool was_woken(const rsq_live *live)
{
    return live->state == RSQ_LIVE_QUEUED || live->state == RSQ_LIVE_WAITING;
}

/* Before the snapshot is opened: those that were woken. */
static void collect_locked(batch *b, const rsq_group *g)
{
    for (rsq_live *live = g->lives; live && b->count < b->capacity; live = live->group_next) {
        if (was_woken(live))
            take_locked(b, live);
        if (b->count && RSQ_PLANTED(RSQ_PLANT_GROUP))
            return;
    }
}

/*
 * With the snapshot at `seq`: those that were woken meanwhile, and if it holds a
 * commit that nobody was told of, the others too. What woke one may be newer
 * than the snapshot: then it is read in it, for the others' sake, and again.
 */
static void collect_more_locked(batch *b, const rsq_group *g, uint64_t seq)
{
    uint64_t told_seq = g->owner->told_seq;

    for (rsq_live *live = g->lives; live && b->count < b->capacity; live = live->group_next) {
        bool woken = was_woken(live);
        uint64_t why_seq = live->why_seq;
        rsq_reason *why;

        if (!woken && (live->state != RSQ_LIVE_IDLE || seq <= told_seq))
            continue;
        take_locked(b, live);
        live->marked = woken && told_seq > seq;
        /* It is a reason of the run that follows; if the snapshot has it too, it is added at the end. */
        if (live->marked) {
            why = &b->runs[b->count - 1].why;
            live->entry.why = *why;
            live->why_seq = why_seq;
            *why = (rsq_reason){0};
        }
        /* What woke it may have been a change of the schema, and this snapshot has the old one. */
        live->unsure = live->marked;
    }
}

static bool begin(batch *b, const rsq_group *g, rsq_core **core)
{
    size_t members = 0;

    rsq_mutex_lock(&g->owner->mu);
    *core = g->owner->core;
    for (const rsq_live *live = g->lives; live; live = live->group_next)
        members++;
    if (*core && members)
        b->runs = rsq_alloc(members * sizeof *b->runs);
    if (b->runs) {
        b->capacity = members;
        collect_locked(b, g);
    }
    rsq_mutex_unlock(&g->owner->mu);
    return !members || b->runs || !*core;
}

static void collect_more(batch *b, const rsq_group *g, uint64_t seq)
{
    rsq_mutex_lock(&g->owner->mu);
    collect_more_locked(b, g, seq);
    rsq_mutex_unlock(&g->owner->mu);
}

static void read_all(batch *b, const rsq_group *g, rsq_core *core)
{
    int64_t began = rsq_profile_begin();
    rsq_request rq = rsq_run_request(b->runs[0].live);
    rsq_lease lease = {0};
    rsq_error err = {0};
    rsq_code code = rsq_core_lease(core, &rq, RSQ_NO_TIMEOUT, &lease, &err);
    size_t done = 0;

    while (code == RSQ_OK && done < b->count) {
        rsq_run_read(&b->runs[done++], lease.conn);
        if (done == b->count && !RSQ_PLANTED(RSQ_PLANT_GROUP))
            collect_more(b, g, rsq_conn_snapshot_seq(lease.conn));
    }
    if (code == RSQ_OK)
        rsq_core_release(core, &lease);
    rsq_profile_end(RSQ_TIME_STREAM_RUN, began);
    for (; done < b->count; done++)
        rsq_run_fail(&b->runs[done], code, &err);
}

static void end_all(batch *b, const rsq_group *g)
{
    const rsq_comparisons none = {0};

    for (size_t i = 0; i < b->count; i++)
        rsq_run_compare(&b->runs[i]);
    rsq_mutex_lock(&g->owner->mu);
    for (size_t i = 0; i < b->count; i++)
        rsq_run_end_locked(&b->runs[i], &none);
    rsq_mutex_unlock(&g->owner->mu);
    for (size_t i = 0; i < b->count; i++)
        rsq_run_fini(&b->runs[i]);
    rsq_free(b->runs);
}

/* Something may have been queued while it ran; and what found no memory is tried again. */
static void rest(rsq_group *g, bool failed)
{
    rsq_streams *ss = g->owner;
    bool queued = false;

    rsq_mutex_lock(&ss->mu);
    g->active = false;
    for (rsq_live *live = g->lives; live; live = live->group_next)
        queued = queued || live->state == RSQ_LIVE_QUEUED;
    if (queued && ss->core && !failed)
        rsq_group_queue_locked(g);
    for (rsq_live *live = g->lives; failed && live && ss->core; live = live->group_next) {
        if (live->state == RSQ_LIVE_QUEUED)
            rsq_live_postpone_locked(live);
    }
    rsq_mutex_unlock(&ss->mu);
}

/* Long enough for the first to be dispatched before the next is read, so that RSQ_PLANT_GROUP needs no luck.
 */
static void linger(void)
{
    int64_t until = rsq_now_ns() + 5000000;

    while (rsq_now_ns() < until)
        ;
}

static void run_group(rsq_job *job)
{
    rsq_group *g = (rsq_group *)(void *)((char *)job - offsetof(rsq_group, job));
    rsq_core *core;
    batch b = {0};
    bool began = begin(&b, g, &core);

    if (b.count > 0)
        read_all(&b, g, core);
    end_all(&b, g);
    if (RSQ_PLANTED(RSQ_PLANT_GROUP))
        linger();
    rest(g, !began);
    rsq_group_unref(g);
}
