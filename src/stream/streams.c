#include "stream/streams.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "stream/stream.h"

rsq_streams *rsq_streams_new(void)
{
    rsq_streams *ss = rsq_alloc_zero(sizeof *ss);

    if (!ss)
        return NULL;
    atomic_init(&ss->refs, 1);
    rsq_mutex_init(&ss->mu);
    return ss;
}

void rsq_streams_unref(rsq_streams *ss)
{
    if (!ss || atomic_fetch_sub_explicit(&ss->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(!ss->first);
    rsq_live_table_fini(&ss->table);
    rsq_mutex_fini(&ss->mu);
    rsq_free(ss);
}

void rsq_streams_start(rsq_streams *ss, rsq_core *core)
{
    rsq_mutex_lock(&ss->mu);
    ss->core = core;
    rsq_mutex_unlock(&ss->mu);
}

void rsq_streams_stop(rsq_streams *ss)
{
    rsq_mutex_lock(&ss->mu);
    while (ss->first)
        rsq_stream_end_locked(ss->first->first);
    ss->core = NULL;
    rsq_mutex_unlock(&ss->mu);
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

void rsq_streams_remove_locked(rsq_streams *ss, rsq_live *live)
{
    assert(!live->first && live->state != RSQ_LIVE_CLOSED);
    live->state = RSQ_LIVE_CLOSED;
    rsq_live_table_remove(&ss->table, live);
    unlink_locked(ss, live);
    rsq_live_unref(live);
}

/* A new live query, known to the registry before its first run takes a snapshot. NULL: no memory. */
static rsq_live *add_locked(rsq_streams *ss, const rsq_live_key *key, uint64_t hash)
{
    rsq_live *live = rsq_live_new(ss, key, hash);

    if (!live)
        return NULL;
    if (!rsq_live_table_add(&ss->table, live)) {
        rsq_live_unref(live);
        return NULL;
    }
    link_locked(ss, live);
    rsq_live_queue_locked(live);
    return live;
}

static rsq_code join_locked(rsq_streams *ss, rsq_stream *s, const rsq_live_key *key, uint64_t hash,
                            rsq_error *err)
{
    rsq_live *live = rsq_live_table_find(&ss->table, key, hash);

    if (!live)
        live = add_locked(ss, key, hash);
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
        code = join_locked(ss, s, &spec->key, hash, err);
    /* An event may wait already; who dispatches it takes the mutex first. */
    if (code == RSQ_OK)
        *out = s;
    rsq_mutex_unlock(&ss->mu);
    if (code != RSQ_OK)
        rsq_stream_unref(s);
    return code;
}

void rsq_streams_commit(void *streams, const rsq_changes *changes)
{
    rsq_streams *ss = streams;
    const rsq_names *changed = &changes->tables;

    rsq_mutex_lock(&ss->mu);
    if (changes->commit_seq > ss->told_seq)
        ss->told_seq = changes->commit_seq;
    for (rsq_live *live = ss->first; live; live = live->next) {
        if (live->known && !changed->all && !rsq_names_meet(&live->reads, changed))
            continue;
        if (changed->all)
            rsq_live_forget_reads_locked(live);
        rsq_live_wake_locked(live);
    }
    rsq_mutex_unlock(&ss->mu);
}
