#include "stream/live.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/plant.h"
#include "base/values.h"
#include "stream/group.h"
#include "stream/streams.h"

#define NS_PER_MS INT64_C(1000000)

/* Memory that is not there may be there so much later. */
#define POSTPONED_MS 100

rsq_live *rsq_live_new(rsq_streams *owner, rsq_group *group, const rsq_live_key *key, uint64_t hash)
{
    size_t params_size = rsq_values_size(key->params, key->nparams);
    rsq_live *live = rsq_alloc_zero(sizeof *live + params_size + key->sql_len + 1);
    char *sql;

    if (!live)
        return NULL;
    /* Values first: they want the alignment. */
    sql = rsq_values_pack(live + 1, key->params, key->nparams);
    memcpy(sql, key->sql, key->sql_len);
    live->key = *key;
    live->key.params = (const rsq_value *)(const void *)(live + 1);
    live->key.sql = sql;
    live->hash = hash;
    atomic_init(&live->refs, 1);
    atomic_fetch_add_explicit(&owner->refs, 1, memory_order_relaxed);
    live->owner = owner;
    live->group = rsq_group_ref(group);
    live->job.run = rsq_live_run;
    return live;
}

void rsq_live_unref(rsq_live *live)
{
    if (atomic_fetch_sub_explicit(&live->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(!live->first && !live->place);
    rsq_depends_unref(live->depends);
    rsq_outcome_clear(&live->last);
    rsq_reason_clear(&live->entry.why);
    rsq_group_unref(live->group);
    rsq_streams_unref(live->owner);
    rsq_free(live);
}

uint64_t rsq_live_key_hash(const rsq_live_key *key)
{
    uint64_t h = rsq_hash_bytes(0, key->sql, key->sql_len);

    for (size_t i = 0; i < key->nparams; i++)
        h = rsq_value_hash(h, &key->params[i]);
    return rsq_hash_bytes(h, &key->traits, sizeof key->traits);
}

bool rsq_live_key_equal(const rsq_live_key *a, const rsq_live_key *b)
{
    if (a->sql_len != b->sql_len || a->nparams != b->nparams || memcmp(a->sql, b->sql, a->sql_len) != 0 ||
        memcmp(&a->traits, &b->traits, sizeof a->traits) != 0)
        return false;
    for (size_t i = 0; i < a->nparams; i++) {
        if (!rsq_value_same(&a->params[i], &b->params[i]))
            return false;
    }
    return true;
}

/* The job holds a reference until it has run. */
void rsq_live_queue_locked(rsq_live *live, rsq_urgency urgency)
{
    assert(live->state == RSQ_LIVE_IDLE || live->state == RSQ_LIVE_WAITING);
    rsq_schedule_remove(&live->owner->schedule, live);
    live->state = RSQ_LIVE_QUEUED;
    if (live->group) {
        rsq_group_queue_locked(live->group);
        return;
    }
    atomic_fetch_add_explicit(&live->refs, 1, memory_order_relaxed);
    if (urgency == RSQ_URGENT)
        rsq_workers_submit(&live->owner->core->workers, &live->job);
    else
        rsq_workers_submit_patient(&live->owner->core->workers, &live->job);
}

void rsq_live_queue_in_time_locked(rsq_live *live, rsq_urgency urgency)
{
    int64_t due_ns = live->began_ns + live->key.traits.min_interval_ms * NS_PER_MS;

    if (!live->began_ns || due_ns <= rsq_now_ns()) {
        rsq_live_queue_locked(live, urgency);
        return;
    }
    live->state = RSQ_LIVE_WAITING;
    rsq_streams_schedule_locked(live->owner, live, due_ns);
}

void rsq_live_postpone_locked(rsq_live *live)
{
    live->state = RSQ_LIVE_WAITING;
    rsq_streams_schedule_locked(live->owner, live, rsq_now_ns() + POSTPONED_MS * NS_PER_MS);
}

void rsq_live_note_locked(rsq_live *live, uint32_t rules, rsq_table_set *tables, uint64_t seq)
{
    rsq_reason *why = &live->entry.why;

    rsq_reason_add(why, rules, tables);
    if ((live->key.traits.flags & RSQ_STREAM_VOLATILE) && (why->rules & RSQ_WHY_EVERYTHING))
        why->rules = (why->rules & ~(uint32_t)RSQ_WHY_EVERYTHING) | RSQ_WHY_VOLATILE;
    /* One of which it is not known when it came may be in any snapshot. */
    if (!live->why_seq)
        live->why_seq = seq ? seq : 1;
}

rsq_reason rsq_live_take_why_locked(rsq_live *live)
{
    rsq_reason why = live->entry.why;

    live->entry.why = (rsq_reason){0};
    live->why_seq = 0;
    return why;
}

void rsq_live_wake_locked(rsq_live *live, rsq_urgency urgency)
{
    live->counters.woken++;
    live->checking = false;
    if (live->state == RSQ_LIVE_RUNNING)
        live->marked = !RSQ_PLANTED(RSQ_PLANT_MARK);
    else if (live->state == RSQ_LIVE_IDLE)
        rsq_live_queue_in_time_locked(live, urgency);
}

void rsq_live_skip_locked(rsq_live *live, uint64_t commit_seq)
{
    live->counters.skipped++;
    if (live->behind_seq < commit_seq)
        live->behind_seq = commit_seq;
    live->checking = false; /* another answer is no wonder now */
}

void rsq_live_set_reads_locked(rsq_live *live, rsq_depends *depends)
{
    rsq_index *ix = &live->owner->index;

    if (!depends && !live->known)
        return;
    rsq_index_remove(ix, &live->entry);
    rsq_depends_unref(live->depends);
    live->depends = depends;
    live->known = depends != NULL;
    if (depends)
        rsq_index_add(ix, &live->entry, depends, live->key.params, live->key.nparams);
    else
        rsq_index_add_unknown(ix, &live->entry);
}

void rsq_live_check_locked(rsq_live *live)
{
    if (live->state != RSQ_LIVE_IDLE || rsq_live_is_behind_locked(live) || !live->last.result)
        return;
    live->checking = true;
    rsq_live_queue_locked(live, RSQ_PATIENT);
}

void rsq_live_forget_reads_locked(rsq_live *live)
{
    if (RSQ_PLANTED(RSQ_PLANT_OLD_READS))
        return;
    live->unsure = true;
    rsq_live_set_reads_locked(live, NULL);
}
