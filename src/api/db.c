/* Opening, closing and pinning a database. */
#include "api/db.h"

#include <assert.h>
#include <strings.h>

#include "api/options.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/graveyard.h"
#include "exec/begin.h"

static rsq_graveyard graveyard = RSQ_GRAVEYARD_INIT;

static void free_handle(rsq_db *db)
{
    if (!db)
        return;
    rsq_queue_unref(db->queue);
    rsq_cond_fini(&db->changed);
    rsq_mutex_fini(&db->mu);
    rsq_free(db);
}

rsq_code rsq_db_pin(rsq_db *db, rsq_error *err)
{
    uint64_t before;

    if (!db)
        return rsq_error_set(err, RSQ_EINVAL, "the database is NULL");
    before = atomic_fetch_add_explicit(&db->pins, 1, memory_order_acquire);
    if (!(before & RSQ_DB_CLOSING))
        return RSQ_OK;
    /* A transaction that runs is waited for, so what it calls on the database is still part of it. */
    if (rsq_tx_runs_for(&db->client))
        return RSQ_OK;
    rsq_db_unpin(db);
    return rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
}

void rsq_db_unpin(rsq_db *db)
{
    uint64_t before = atomic_fetch_sub_explicit(&db->pins, 1, memory_order_release);

    if (before != (RSQ_DB_CLOSING | 1))
        return;
    rsq_mutex_lock(&db->mu);
    rsq_cond_broadcast(&db->changed);
    rsq_mutex_unlock(&db->mu);
}

static bool is_page_size(uint32_t n)
{
    return n == 0 || (n >= 512 && n <= 65536 && (n & (n - 1)) == 0);
}

static rsq_code check_attach(const rsq_open_options *o, size_t i, rsq_error *err)
{
    const rsq_attach *a = &o->attach[i];

    if (!a->name || !a->name[0] || !a->path)
        return rsq_error_set(err, RSQ_EINVAL, "attach[%zu] has no name or no path", i);
    if (strlen(a->name) > 64 || strcasecmp(a->name, "main") == 0 || strcasecmp(a->name, "temp") == 0)
        return rsq_error_set(err, RSQ_EINVAL, "attach[%zu] has the name \"%.64s\", which cannot be used", i,
                             a->name);
    if (rsq_path_is_memory(a->path))
        return rsq_error_set(err, RSQ_EINVAL, "attach[%zu] is not a file, so its connections would differ",
                             i);
    for (size_t other = 0; other < i; other++) {
        if (strcasecmp(a->name, o->attach[other].name) == 0)
            return rsq_error_set(err, RSQ_EINVAL, "attach[%zu] repeats the name \"%s\"", i, a->name);
    }
    return RSQ_OK;
}

static rsq_code check_options(const char *path, const rsq_open_options *o, rsq_error *err)
{
    const uint32_t known = RSQ_OPEN_READONLY | RSQ_OPEN_NO_CREATE | RSQ_OPEN_NO_FOREIGN_KEYS |
                           RSQ_OPEN_NO_KEPT_SNAPSHOTS | RSQ_OPEN_NO_GROUP_COMMIT |
                           RSQ_OPEN_NO_EXTERNAL_WRITERS | RSQ_OPEN_NO_COLUMN_LEVEL | RSQ_OPEN_NO_VALUE_LEVEL |
                           RSQ_OPEN_NO_KEY_LEVEL | RSQ_OPEN_NO_SHORTCUTS | RSQ_OPEN_NO_KEPT_MAPPING |
                           RSQ_OPEN_NO_SPIN;
    bool memory = rsq_path_is_memory(path);

    if (o->flags & ~known)
        return rsq_option_refuse("flags", err);
    if (memory && (o->flags & RSQ_OPEN_READONLY))
        return rsq_error_set(err, RSQ_EINVAL,
                             "a database in memory cannot be read-only: it would stay empty");
    if (o->readers > RSQ_READERS_MAX)
        return rsq_option_refuse("readers", err);
    if (o->busy_timeout_ms > INT32_MAX)
        return rsq_option_refuse("busy_timeout_ms", err);
    if (o->synchronous > RSQ_SYNC_EXTRA)
        return rsq_option_refuse("synchronous", err);
    if (!is_page_size(o->page_size))
        return rsq_option_refuse("page_size", err);
    if (o->mmap_bytes < -1)
        return rsq_option_refuse("mmap_bytes", err);
    if (o->cache_bytes < 0)
        return rsq_option_refuse("cache_bytes", err);
    if (o->nattach > 10 || (o->nattach && !o->attach))
        return rsq_option_refuse("nattach", err);
    for (size_t i = 0; i < o->nattach; i++) {
        rsq_code code = check_attach(o, i, err);

        if (code != RSQ_OK)
            return code;
    }
    return RSQ_OK;
}

static uint32_t default_readers(void)
{
    unsigned n = rsq_processors();

    return n < 2 ? 2 : n > 8 ? 8 : n;
}

static void fill_defaults(rsq_open_options *o)
{
    if (!o->readers)
        o->readers = default_readers();
    if (!o->busy_timeout_ms)
        o->busy_timeout_ms = 5000;
    if (!o->synchronous)
        o->synchronous = RSQ_SYNC_NORMAL;
    if (!o->lease_timeout_ms)
        o->lease_timeout_ms = 30000;
    if (!o->keep_snapshot_ms)
        o->keep_snapshot_ms = 100;
    if (!o->mmap_bytes)
        o->mmap_bytes = (int64_t)256 << 20;
    else if (o->mmap_bytes < 0)
        o->mmap_bytes = 0;
    if (!o->cache_bytes)
        o->cache_bytes = (int64_t)8 << 20;
    /* SQLite counts its cache in KiB, and negative means KiB to it. */
    if (o->cache_bytes < 1024)
        o->cache_bytes = 1024;
}

static rsq_db *make_handle(void)
{
    rsq_db *db = rsq_alloc_zero(sizeof *db);

    if (!db)
        return NULL;
    atomic_init(&db->pins, 0);
    atomic_init(&db->client.closing, false);
    atomic_init(&db->client.writes, 0);
    rsq_mutex_init(&db->mu);
    rsq_cond_init(&db->changed);
    db->queue = rsq_queue_make();
    if (!db->queue) {
        free_handle(db);
        return NULL;
    }
    return db;
}

rsq_code rsq_open(const char *path, const rsq_open_options *opts, rsq_db **out, rsq_error *err)
{
    rsq_open_options asked, o;
    rsq_code code;
    rsq_db *db;

    if (!path || !out)
        return rsq_error_set(err, RSQ_EINVAL, "path or out is NULL");
    code = rsq_options_read(&asked, sizeof asked, opts, err);
    if (code == RSQ_OK)
        code = check_options(path, &asked, err);
    if (code != RSQ_OK)
        return code;
    o = asked;
    fill_defaults(&o);
    db = make_handle();
    if (!db)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    code = rsq_shared_open(path, &asked, &o, &db->shared, err);
    if (code != RSQ_OK) {
        free_handle(db);
        return code;
    }
    db->core = db->shared->core;
    db->streams = db->shared->streams;
    db->client.number = rsq_shared_number(db->shared);
    db->client.readonly = (o.flags & RSQ_OPEN_READONLY) != 0;
    db->queue->no_spin = (o.flags & RSQ_OPEN_NO_SPIN) != 0;
    *out = db;
    return RSQ_OK;
}

/*
 * Become the one that closes. False: it is closed, or being closed by another
 * thread, for which we wait unless that one waits for us: inside a callback of
 * the queue that it empties.
 */
static bool start_closing(rsq_db *db)
{
    bool inside = rsq_queue_is_mine(db->queue);
    bool first;

    rsq_mutex_lock(&db->mu);
    first = db->closer == 0;
    if (first)
        db->closer = rsq_thread_self();
    while (!first && !inside && !db->closed && db->closer != rsq_thread_self())
        (void)rsq_cond_wait_until(&db->changed, &db->mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&db->mu);
    return first;
}

static void wait_for_pins(rsq_db *db)
{
    rsq_mutex_lock(&db->mu);
    while (atomic_load_explicit(&db->pins, memory_order_acquire) != RSQ_DB_CLOSING)
        (void)rsq_cond_wait_until(&db->changed, &db->mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&db->mu);
}

rsq_code rsq_close(rsq_db *db)
{
    if (!db)
        return RSQ_OK;
    if (rsq_tx_runs_for(&db->client))
        return RSQ_EMISUSE;
    if (!start_closing(db))
        return RSQ_OK;
    atomic_fetch_or_explicit(&db->pins, RSQ_DB_CLOSING, memory_order_acq_rel);
    rsq_core_dismiss(db->core, &db->client);
    /* A call that runs on an interactive transaction has no pin, and may take some: it is waited for first.
     */
    rsq_begins_wait(db->core, &db->client);
    wait_for_pins(db);
    rsq_streams_close_all(db->streams, &db->client);
    rsq_core_finish(db->core, &db->client);
    rsq_queue_finish(db->queue);
    /* After the last callback, which may have opened the file once more. */
    rsq_shared_release(db->shared);
    rsq_mutex_lock(&db->mu);
    db->closed = true;
    rsq_cond_broadcast(&db->changed);
    rsq_mutex_unlock(&db->mu);
    free_handle(rsq_graveyard_bury(&graveyard, db));
    return RSQ_OK;
}

rsq_queue *rsq_queue_default(rsq_db *db)
{
    rsq_queue *q;

    if (rsq_db_pin(db, NULL) != RSQ_OK)
        return NULL;
    q = db->queue;
    rsq_db_unpin(db);
    return q;
}
