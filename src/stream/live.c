#include "stream/live.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/values.h"
#include "stream/streams.h"

rsq_live *rsq_live_new(rsq_streams *owner, const rsq_live_key *key, uint64_t hash)
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
    live->job.run = rsq_live_run;
    return live;
}

void rsq_live_unref(rsq_live *live)
{
    if (atomic_fetch_sub_explicit(&live->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(!live->first);
    rsq_names_fini(&live->reads);
    rsq_outcome_clear(&live->last);
    rsq_streams_unref(live->owner);
    rsq_free(live);
}

static bool has_bytes(const rsq_value *v)
{
    return v->type == RSQ_TEXT || v->type == RSQ_BLOB;
}

static uint64_t hash_value(uint64_t h, const rsq_value *v)
{
    h = rsq_hash_mix(h, v->type);
    if (has_bytes(v))
        return rsq_hash_bytes(h, v->as.blob, v->len);
    return v->type == RSQ_NULL ? h : rsq_hash_mix(h, (uint64_t)v->as.i);
}

uint64_t rsq_live_key_hash(const rsq_live_key *key)
{
    uint64_t h = rsq_hash_bytes(0, key->sql, key->sql_len);

    for (size_t i = 0; i < key->nparams; i++)
        h = hash_value(h, &key->params[i]);
    return h;
}

/* Type and bits: integer 1 and real 1.0 are different, and so are 0.0 and -0.0. */
static bool same_value(const rsq_value *a, const rsq_value *b)
{
    if (a->type != b->type)
        return false;
    if (has_bytes(a))
        return a->len == b->len && (a->len == 0 || memcmp(a->as.blob, b->as.blob, a->len) == 0);
    return a->type == RSQ_NULL || a->as.i == b->as.i;
}

bool rsq_live_key_equal(const rsq_live_key *a, const rsq_live_key *b)
{
    if (a->sql_len != b->sql_len || a->nparams != b->nparams || memcmp(a->sql, b->sql, a->sql_len) != 0)
        return false;
    for (size_t i = 0; i < a->nparams; i++) {
        if (!same_value(&a->params[i], &b->params[i]))
            return false;
    }
    return true;
}

/* The job holds a reference until it has run. */
void rsq_live_queue_locked(rsq_live *live)
{
    live->state = RSQ_LIVE_QUEUED;
    atomic_fetch_add_explicit(&live->refs, 1, memory_order_relaxed);
    rsq_workers_submit(&live->owner->core->workers, &live->job);
}

void rsq_live_wake_locked(rsq_live *live)
{
    live->counters.woken++;
    if (live->state == RSQ_LIVE_RUNNING)
        live->marked = true;
    else if (live->state == RSQ_LIVE_IDLE)
        rsq_live_queue_locked(live);
}

void rsq_live_forget_reads_locked(rsq_live *live)
{
    live->known = false;
    live->unsure = true;
}
