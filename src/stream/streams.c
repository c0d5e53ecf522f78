#include "stream/streams.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/plant.h"
#include "base/profile.h"
#include "stream/group.h"
#include "stream/stream.h"

static int64_t look_at_clock(rsq_timer_entry *entry);

rsq_streams *rsq_streams_new(void)
{
    rsq_streams *ss = rsq_alloc_zero(sizeof *ss);

    if (!ss)
        return NULL;
    atomic_init(&ss->refs, 1);
    rsq_mutex_init(&ss->mu);
    ss->clock.due = look_at_clock;
    return ss;
}

void rsq_streams_unref(rsq_streams *ss)
{
    if (!ss || atomic_fetch_sub_explicit(&ss->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(!ss->first && !ss->groups);
    rsq_schedule_fini(&ss->schedule);
    rsq_live_table_fini(&ss->table);
    rsq_index_fini(&ss->index);
    rsq_mutex_fini(&ss->mu);
    rsq_free(ss);
}

void rsq_streams_start(rsq_streams *ss, rsq_core *core, uint32_t check_every)
{
    rsq_mutex_lock(&ss->mu);
    ss->core = core;
    ss->told_seq = atomic_load_explicit(&core->seq.newest, memory_order_relaxed);
    ss->watches = !core->single && !(core->config.flags & RSQ_OPEN_NO_EXTERNAL_WRITERS);
    ss->look_ns = RSQ_NO_DEADLINE;
    ss->index.flags = core->config.flags;
    ss->index.board = &core->watched;
    ss->check_every = check_every;
    rsq_mutex_unlock(&ss->mu);
}

static void close_each_locked(rsq_live *live, const rsq_client *client)
{
    rsq_stream *next;

    for (rsq_stream *s = live->first; s; s = next) {
        next = s->next; /* NULL after the last one, with which the live query may go */
        if (s->client == client)
            rsq_stream_end_locked(s);
    }
}

void rsq_streams_close_all(rsq_streams *ss, const rsq_client *client)
{
    rsq_live *next;

    rsq_mutex_lock(&ss->mu);
    for (rsq_live *live = ss->first; live; live = next) {
        next = live->next;
        close_each_locked(live, client);
    }
    rsq_mutex_unlock(&ss->mu);
}

void rsq_streams_stop(rsq_streams *ss)
{
    rsq_core *core;

    rsq_mutex_lock(&ss->mu);
    assert(!ss->first);
    core = ss->core;
    ss->core = NULL;
    rsq_mutex_unlock(&ss->mu);
    if (!core)
        return;
    rsq_timer_remove(&core->timer, &ss->clock);
    rsq_foreign_fini(&ss->foreign);
}

/* --- the clock --- */

void rsq_streams_schedule_locked(rsq_streams *ss, rsq_live *live, int64_t due_ns)
{
    rsq_schedule_put(&ss->schedule, live, due_ns);
    if (ss->core)
        rsq_timer_add(&ss->core->timer, &ss->clock, due_ns);
}

uint64_t rsq_streams_told(rsq_streams *ss)
{
    uint64_t told_seq;

    rsq_mutex_lock(&ss->mu);
    told_seq = ss->told_seq;
    rsq_mutex_unlock(&ss->mu);
    return told_seq;
}

/* Somebody else has committed: what was changed is not known, but whoever has run since has seen it. */
static void tell_foreign_locked(rsq_streams *ss, const rsq_foreign_news *news)
{
    for (rsq_live *live = RSQ_PLANTED(RSQ_PLANT_FOREIGN) ? NULL : ss->first; live; live = live->next) {
        if (news->schema_changed)
            rsq_live_forget_reads_locked(live);
        if (live->run_seq >= news->seq && live->state == RSQ_LIVE_IDLE && !news->schema_changed &&
            !news->restarted)
            continue;
        rsq_live_note_locked(live, RSQ_WHY_FOREIGN | (news->schema_changed ? RSQ_WHY_SCHEMA : 0), NULL,
                             news->seq);
        rsq_live_wake_locked(live, RSQ_PATIENT);
    }
    if (news->schema_changed)
        rsq_index_trim(&ss->index);
    if (news->restarted || news->seq > ss->told_seq)
        ss->told_seq = news->seq;
}

static void look_for_foreign(rsq_streams *ss, rsq_core *core)
{
    rsq_foreign_news news = rsq_foreign_look(&ss->foreign, core, ss);

    rsq_mutex_lock(&ss->mu);
    if (news.committed)
        tell_foreign_locked(ss, &news);
    if (news.again_ns == RSQ_NO_DEADLINE)
        ss->watches = false;
    ss->look_ns = ss->watches && ss->first ? rsq_now_ns() + news.again_ns : RSQ_NO_DEADLINE;
    rsq_mutex_unlock(&ss->mu);
}

/* Look from now on, if nobody does: there is a stream. */
static void watch_locked(rsq_streams *ss)
{
    if (!ss->watches || ss->look_ns != RSQ_NO_DEADLINE)
        return;
    ss->look_ns = rsq_now_ns() + RSQ_FOREIGN_LOOK_NS;
    rsq_timer_add(&ss->core->timer, &ss->clock, ss->look_ns);
}

/* Queue what is due, and tell the timer when the next is. What is added to it under the mutex is never lost,
 * as a time that is returned could be. */
static void run_schedule_locked(rsq_streams *ss)
{
    int64_t now_ns = rsq_now_ns(), next_ns = ss->look_ns;
    rsq_live *live;

    while ((live = rsq_schedule_first(&ss->schedule)) != NULL && live->due_ns <= now_ns) {
        if (live->state == RSQ_LIVE_IDLE)
            rsq_live_note_locked(live, live->backoff_ms ? RSQ_WHY_RETRY : RSQ_WHY_REFRESH, NULL, 0);
        rsq_live_queue_locked(live, RSQ_URGENT);
    }
    if (live && (next_ns == RSQ_NO_DEADLINE || live->due_ns < next_ns))
        next_ns = live->due_ns;
    if (next_ns != RSQ_NO_DEADLINE)
        rsq_timer_add(&ss->core->timer, &ss->clock, next_ns);
}

/* On the timer's thread, with no lock held. The core stays while this runs. */
static int64_t look_at_clock(rsq_timer_entry *entry)
{
    rsq_streams *ss = (rsq_streams *)(void *)((char *)entry - offsetof(rsq_streams, clock));
    bool looks = false;
    rsq_core *core;

    rsq_mutex_lock(&ss->mu);
    core = ss->core;
    looks = core && ss->look_ns != RSQ_NO_DEADLINE && ss->look_ns <= rsq_now_ns();
    rsq_mutex_unlock(&ss->mu);
    if (looks)
        look_for_foreign(ss, core);
    rsq_mutex_lock(&ss->mu);
    if (ss->core)
        run_schedule_locked(ss);
    rsq_mutex_unlock(&ss->mu);
    return RSQ_NO_DEADLINE;
}

/* --- the registry --- */

/* The group of a client with that number, or a new one; a reference of the caller's. NULL: no memory. */
static rsq_group *join_group_locked(rsq_streams *ss, uint32_t client, uint32_t number, rsq_queue *queue)
{
    rsq_group *g = ss->groups;

    while (g && (g->client != client || g->number != number))
        g = g->next;
    return g ? rsq_group_ref(g) : rsq_group_new(ss, client, number, queue);
}

static void link_group_locked(rsq_streams *ss, rsq_live *live)
{
    rsq_group *g = live->group;

    if (!g->lives) {
        g->next = ss->groups;
        ss->groups = g;
    }
    rsq_group_add_locked(g, live);
}

static void unlink_group_locked(rsq_streams *ss, rsq_live *live)
{
    rsq_group **at = &ss->groups;

    rsq_group_remove_locked(live->group, live);
    if (live->group->lives)
        return;
    while (*at != live->group)
        at = &(*at)->next;
    *at = live->group->next;
    live->group->next = NULL;
}

static void link_locked(rsq_streams *ss, rsq_live *live)
{
    live->next = ss->first;
    if (ss->first)
        ss->first->prev = live;
    ss->first = live;
}

static void unlink_locked(rsq_streams *ss, rsq_live *live)
{
    if (live->prev)
        live->prev->next = live->next;
    else
        ss->first = live->next;
    if (live->next)
        live->next->prev = live->prev;
    live->prev = live->next = NULL;
}

static void add_counters(rsq_live_counters *to, const rsq_live *live)
{
    rsq_index_spared spared = rsq_index_spared_of(&live->entry);

    to->woken += live->counters.woken;
    to->runs += live->counters.runs;
    to->suppressed += live->counters.suppressed;
    to->skipped += live->counters.skipped;
    to->checks += live->counters.checks;
    to->missed += live->counters.missed;
    to->spared.by_column += spared.by_column;
    to->spared.by_value += spared.by_value;
    to->spared.by_key += spared.by_key;
}

void rsq_streams_remove_locked(rsq_streams *ss, rsq_live *live)
{
    assert(!live->first && live->state != RSQ_LIVE_CLOSED);
    add_counters(&ss->gone, live);
    live->state = RSQ_LIVE_CLOSED;
    rsq_schedule_remove(&ss->schedule, live);
    rsq_live_table_remove(&ss->table, live);
    unlink_locked(ss, live);
    rsq_index_remove(&ss->index, &live->entry);
    if (live->group)
        unlink_group_locked(ss, live);
    rsq_live_unref(live);
}

/* A new live query, known to the registry before its first run takes a snapshot. NULL: no memory. */
static rsq_live *add_locked(rsq_streams *ss, rsq_group *group, const rsq_live_key *key, uint64_t hash)
{
    rsq_live *live = NULL;

    /* With room in the schedule for all of them, nothing can fail later. */
    if (rsq_schedule_reserve(&ss->schedule, ss->table.count + 1))
        live = rsq_live_new(ss, group, key, hash);
    if (!live)
        return NULL;
    if (!rsq_live_table_add(&ss->table, live)) {
        rsq_live_unref(live);
        return NULL;
    }
    link_locked(ss, live);
    if (live->group)
        link_group_locked(ss, live);
    rsq_index_add_unknown(&ss->index, &live->entry);
    rsq_live_queue_locked(live, RSQ_URGENT);
    return live;
}

/* The live query with that key, or a new one without a stream. NULL: no memory. */
static rsq_live *find_or_add_locked(rsq_streams *ss, rsq_group *group, const rsq_live_key *key, uint64_t hash)
{
    rsq_live *live = rsq_live_table_find(&ss->table, key, hash);

    return live ? live : add_locked(ss, group, key, hash);
}

static rsq_code join_locked(rsq_streams *ss, rsq_stream *s, const rsq_live_key *key, uint64_t hash,
                            rsq_error *err)
{
    uint32_t number = key->traits.group;
    rsq_live *live;

    if (number) {
        s->group = join_group_locked(ss, key->traits.client, number, s->queue);
        if (!s->group)
            return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
        if (s->group->queue != s->queue)
            return rsq_error_set(err, RSQ_EINVAL, "the streams of group %u have another queue", number);
    }
    live = find_or_add_locked(ss, s->group, key, hash);
    if (!live)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    rsq_stream_join_locked(s, live);
    return RSQ_OK;
}

rsq_code rsq_streams_open(rsq_streams *ss, const rsq_stream_spec *spec, rsq_stream **out, rsq_error *err)
{
    uint64_t hash = rsq_live_key_hash(&spec->key);
    rsq_stream *s = rsq_stream_new(ss, spec);
    rsq_code code;

    if (!s)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    rsq_mutex_lock(&ss->mu);
    if (ss->core)
        code = rsq_workers_ensure(&ss->core->workers, err);
    else
        code = rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
    if (code == RSQ_OK)
        code = rsq_timer_ensure(&ss->core->timer, err);
    if (code == RSQ_OK)
        code = join_locked(ss, s, &spec->key, hash, err);
    if (code == RSQ_OK)
        watch_locked(ss);
    /* An event may wait already; who dispatches it takes the mutex first. */
    if (code == RSQ_OK)
        *out = s;
    rsq_mutex_unlock(&ss->mu);
    if (code != RSQ_OK)
        rsq_stream_unref(s);
    return code;
}

static rsq_code move_locked(rsq_streams *ss, rsq_stream *s, const rsq_value *params, size_t nparams,
                            rsq_error *err)
{
    rsq_live *from = s->live, *to;
    rsq_live_key key;

    if (!ss->core || !from)
        return rsq_error_set(err, RSQ_ECLOSED, "the stream has ended");
    key = from->key;
    key.params = params;
    key.nparams = nparams;
    to = find_or_add_locked(ss, s->group, &key, rsq_live_key_hash(&key));
    if (!to)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    rsq_stream_leave_locked(s);
    rsq_stream_join_locked(s, to);
    if (!from->first)
        rsq_streams_remove_locked(ss, from);
    return RSQ_OK;
}

rsq_code rsq_streams_move(rsq_streams *ss, rsq_stream *s, const rsq_value *params, size_t nparams,
                          rsq_error *err)
{
    rsq_code code;

    rsq_mutex_lock(&ss->mu);
    code = move_locked(ss, s, params, nparams, err);
    rsq_mutex_unlock(&ss->mu);
    return code;
}

/* Is it a commit of an origin that the query leaves out, and of nobody else? */
static bool is_left_out(const rsq_live *live, const rsq_changes *changes)
{
    uint32_t origin = live->key.traits.skip_origin;

    return origin && origin == changes->origin;
}

/* Live queries that a commit concerns are told so. */
typedef struct telling {
    const rsq_changes *changes;
    rsq_urgency urgency;
    uint32_t rules;        /* RSQ_WHY_…, besides those that the index finds */
    rsq_table_set *tables; /* likewise; borrowed */
} telling;

static void tell_locked(rsq_live *live, const telling *t)
{
    int64_t began = rsq_profile_begin();

    rsq_profile_count(RSQ_COUNT_STREAM_CANDIDATES, 1);
    rsq_live_note_locked(live, t->rules, t->tables, t->changes->commit_seq);
    if (is_left_out(live, t->changes))
        rsq_live_skip_locked(live, t->changes->commit_seq);
    else
        rsq_live_wake_locked(live, t->urgency);
    rsq_profile_end(RSQ_TIME_STREAM_HANDOFF, began);
}

static void tell_found_locked(rsq_index_entry *e, void *ctx)
{
    tell_locked((rsq_live *)(void *)((char *)e - offsetof(rsq_live, entry)), ctx);
}

/* The schema may be another one, or somebody else committed: anything may have changed. */
static void tell_all_locked(rsq_streams *ss, telling *t)
{
    const rsq_names *changed = &t->changes->tables;

    t->urgency = RSQ_PATIENT;
    if (changed->count)
        t->tables = rsq_table_set_of(changed, &t->rules);
    for (rsq_live *live = ss->first; live; live = live->next) {
        rsq_live_forget_reads_locked(live);
        tell_locked(live, t);
    }
    rsq_table_set_unref(t->tables);
    rsq_index_trim(&ss->index);
}

/* Those that were told run or wait already, or are behind: what is left was not concerned. */
static void check_others_locked(rsq_streams *ss)
{
    if (!ss->check_every || ++ss->unchecked < ss->check_every)
        return;
    ss->unchecked = 0;
    for (rsq_live *live = ss->first; live; live = live->next)
        rsq_live_check_locked(live);
}

/*
 * Inlined in both that call it, the timed one and the plain one: with calls instead an insert takes 12,023
 * instructions where a library without counters takes 12,009, and counters that are off may cost 0.1 %
 * (tests/profile/budget.py).
 */
static inline __attribute__((always_inline)) void commit(rsq_streams *ss, const rsq_changes *changes)
{
    /* Without a number it is no commit, but rsq_notify(). */
    telling t = {
        .changes = changes, .urgency = RSQ_URGENT, .rules = changes->commit_seq ? 0 : RSQ_WHY_NOTIFY};
    bool foreign;

    rsq_mutex_lock(&ss->mu);
    /* Somebody else has committed before, and nobody has noticed yet. */
    foreign = changes->before_seq > ss->told_seq && !RSQ_PLANTED(RSQ_PLANT_FOREIGN);
    if (foreign)
        t.rules |= RSQ_WHY_FOREIGN;
    if (changes->tables.all && changes->commit_seq)
        t.rules |= RSQ_WHY_SCHEMA;
    if (changes->commit_seq > ss->told_seq)
        ss->told_seq = changes->commit_seq;
    if (foreign || changes->tables.all)
        tell_all_locked(ss, &t);
    else
        rsq_index_match(&ss->index, changes, tell_found_locked, &t);
    check_others_locked(ss);
    rsq_mutex_unlock(&ss->mu);
}

static __attribute__((noinline, cold)) void commit_timed(rsq_streams *ss, const rsq_changes *changes)
{
    int64_t began = rsq_profile_begin();

    commit(ss, changes);
    rsq_profile_end(RSQ_TIME_STREAM_INVALIDATE, began);
}

void rsq_streams_commit(void *streams, const rsq_changes *changes)
{
    if (rsq_profile_on())
        commit_timed(streams, changes);
    else
        commit(streams, changes);
}

void rsq_streams_count(rsq_streams *ss, rsq_streams_figures *out)
{
    rsq_mutex_lock(&ss->mu);
    *out = (rsq_streams_figures){
        .queries = ss->table.count, .streams = ss->open, .lives = ss->gone, .emitted = ss->emitted};
    for (const rsq_live *live = ss->first; live; live = live->next)
        add_counters(&out->lives, live);
    rsq_mutex_unlock(&ss->mu);
}
