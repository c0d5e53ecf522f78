#include "api/shared.h"

#include <assert.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"

/* The files that are open. */
static struct {
    rsq_mutex mu;
    rsq_cond changed; /* a state, or the end of a birth */
    rsq_shared *first;

    /*
     * Somebody opens a file that is not there yet, so it has no id. Meanwhile
     * nobody begins with a file that is not listed: it may be that one.
     */
    bool birth;
} files = {.mu = RSQ_MUTEX_INIT, .changed = RSQ_COND_INIT};

static rsq_shared *find_locked(rsq_file_id id)
{
    rsq_shared *s = files.first;

    while (s && !rsq_file_id_equal(s->id, id))
        s = s->next;
    return s;
}

static void list_locked(rsq_shared *s, rsq_file_id id)
{
    s->id = id;
    s->listed = true;
    s->next = files.first;
    files.first = s;
}

static void unlist_locked(rsq_shared *s)
{
    rsq_shared **at = &files.first;

    if (!s->listed)
        return;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->listed = false;
}

static void free_shared(rsq_shared *s)
{
    if (!s)
        return;
    rsq_streams_unref(s->streams);
    rsq_free(s);
}

static rsq_shared *make_shared(void)
{
    rsq_shared *s = rsq_alloc_zero(sizeof *s);

    if (!s)
        return NULL;
    s->refs = 1;
    s->streams = rsq_streams_new();
    if (!s->streams) {
        free_shared(s);
        return NULL;
    }
    return s;
}

static void wait_locked(void)
{
    (void)rsq_cond_wait_until(&files.changed, &files.mu, RSQ_NO_DEADLINE);
}

/*
 * The one that is OPEN, with one more reference; else `fresh`, which is OPENING
 * from now on, listed or, if there is no file yet, about to be born.
 */
static rsq_shared *find_or_claim(const char *path, rsq_shared *fresh)
{
    bool there, born = false;
    rsq_file_id id = {0};
    rsq_shared *found;

    for (;;) {
        there = rsq_file_identify(path, &id);
        rsq_mutex_lock(&files.mu);
        found = there ? find_locked(id) : NULL;
        if (found && found->state == RSQ_SHARED_OPEN) {
            found->refs++;
            break;
        }
        if (!found && there && (born || !files.birth)) {
            list_locked(fresh, id);
            break;
        }
        if (!found && !there && born)
            break; /* it is not there, and nobody else may make it */
        if (!found && !there && !files.birth)
            born = files.birth = true; /* look again, now that nobody can have made it in between */
        else
            wait_locked();
        rsq_mutex_unlock(&files.mu);
    }
    /* Somebody had made it in between. */
    if (born && (found || fresh->listed)) {
        files.birth = false;
        rsq_cond_broadcast(&files.changed);
    }
    rsq_mutex_unlock(&files.mu);
    return found ? found : fresh;
}

/* The end of OPENING. */
static void settle(rsq_shared *s, bool well)
{
    rsq_mutex_lock(&files.mu);
    assert(s->state == RSQ_SHARED_OPENING);
    s->state = RSQ_SHARED_OPEN;
    if (!well)
        unlist_locked(s);
    rsq_cond_broadcast(&files.changed);
    rsq_mutex_unlock(&files.mu);
}

/* The end of OPENING of a file that was not there before. */
static void settle_birth(rsq_shared *s, const char *path, bool well)
{
    rsq_file_id id;
    bool there = well && rsq_file_identify(path, &id);

    rsq_mutex_lock(&files.mu);
    s->state = RSQ_SHARED_OPEN;
    /* Another program may have moved a file here that is open: then this one stays by itself. */
    if (there && !find_locked(id))
        list_locked(s, id);
    files.birth = false;
    rsq_cond_broadcast(&files.changed);
    rsq_mutex_unlock(&files.mu);
}

static rsq_commit_sink sink_of(rsq_shared *s)
{
    return (rsq_commit_sink){.fn = rsq_streams_commit, .ctx = s->streams};
}

static rsq_code open_core(rsq_shared *s, const char *path, const rsq_open_options *filled, rsq_error *err)
{
    rsq_code code = rsq_core_open(path, filled, sink_of(s), &s->core, err);

    if (code == RSQ_OK)
        rsq_streams_start(s->streams, s->core, filled->self_check_every);
    return code;
}

/* --- options of a file that is open --- */

static rsq_code contradicts(const char *option, rsq_error *err)
{
    return rsq_error_set(err, RSQ_EINVAL,
                         "the file is open in this process with another value of the option %s", option);
}

static bool is_same_attachment(const rsq_attach *a, const rsq_attach *b)
{
    rsq_file_id at, bt;

    return strcasecmp(a->name, b->name) == 0 && rsq_file_identify(a->path, &at) &&
           rsq_file_identify(b->path, &bt) && rsq_file_id_equal(at, bt);
}

/* None asked for are none missed. */
static bool same_attachments(const rsq_conn_config *config, const rsq_open_options *asked)
{
    if (asked->nattach == 0)
        return true;
    if (asked->nattach != config->nattach)
        return false;
    for (size_t i = 0; i < config->nattach; i++) {
        if (!is_same_attachment(&config->attach[i], &asked->attach[i]))
            return false;
    }
    return true;
}

/*
 * A zero is no wish here, but for what a program relies on without saying so:
 * that foreign keys are enforced, that a crash damages nothing, and that
 * commits of others are noticed.
 */
static rsq_code compare_flags(const rsq_core *core, const rsq_open_options *asked, rsq_error *err)
{
    if ((core->config.flags ^ asked->flags) & RSQ_OPEN_NO_FOREIGN_KEYS)
        return contradicts("flags (RSQ_OPEN_NO_FOREIGN_KEYS)", err);
    return RSQ_OK;
}

static rsq_code compare_writing(const rsq_core *core, const rsq_open_options *asked,
                                const rsq_open_options *filled, rsq_error *err)
{
    uint32_t is = core->config.synchronous;

    if (is != filled->synchronous && (asked->synchronous || is == RSQ_SYNC_OFF))
        return contradicts("synchronous", err);
    return compare_flags(core, asked, err);
}

static rsq_code compare(const rsq_core *core, const rsq_open_options *asked, const rsq_open_options *filled,
                        rsq_error *err)
{
    const rsq_conn_config *config = &core->config;

    if (asked->flags & ~config->flags & RSQ_OPEN_NO_KEPT_SNAPSHOTS)
        return contradicts("flags (RSQ_OPEN_NO_KEPT_SNAPSHOTS)", err);
    if (asked->flags & ~config->flags & RSQ_OPEN_NO_GROUP_COMMIT)
        return contradicts("flags (RSQ_OPEN_NO_GROUP_COMMIT)", err);
    if ((asked->flags ^ config->flags) & RSQ_OPEN_NO_EXTERNAL_WRITERS)
        return contradicts("flags (RSQ_OPEN_NO_EXTERNAL_WRITERS)", err);
    if (asked->readers && filled->readers != core->readers.count)
        return contradicts("readers", err);
    if (asked->busy_timeout_ms && filled->busy_timeout_ms != config->busy_timeout_ms)
        return contradicts("busy_timeout_ms", err);
    if (asked->keep_snapshot_ms && filled->keep_snapshot_ms != core->readers.keep_ms)
        return contradicts("keep_snapshot_ms", err);
    if (asked->reader_age_limit_ms && filled->reader_age_limit_ms != core->reader_age_limit_ms)
        return contradicts("reader_age_limit_ms", err);
    if (asked->lease_timeout_ms && filled->lease_timeout_ms != core->lease_timeout_ms)
        return contradicts("lease_timeout_ms", err);
    if (asked->mmap_bytes && filled->mmap_bytes != config->mmap_bytes)
        return contradicts("mmap_bytes", err);
    if (asked->cache_bytes && filled->cache_bytes != config->cache_bytes)
        return contradicts("cache_bytes", err);
    if (!same_attachments(config, asked))
        return contradicts("attach", err);
    return RSQ_OK;
}

/* --- joining --- */

/* True: OPENING again, and the calling thread gives it its writer. False: it has one. */
static bool claim_writer(rsq_shared *s)
{
    bool mine;

    rsq_mutex_lock(&files.mu);
    while (s->state != RSQ_SHARED_OPEN)
        wait_locked();
    mine = !rsq_core_is_writable(s->core);
    if (mine)
        s->state = RSQ_SHARED_OPENING;
    rsq_mutex_unlock(&files.mu);
    return mine;
}

static rsq_code join(rsq_shared *s, const rsq_open_options *asked, const rsq_open_options *filled,
                     rsq_error *err)
{
    rsq_code code = compare(s->core, asked, filled, err);

    if (code == RSQ_OK && asked->self_check_every && asked->self_check_every != s->streams->check_every)
        code = contradicts("self_check_every", err);
    if (code != RSQ_OK || (asked->flags & RSQ_OPEN_READONLY))
        return code;
    if (!claim_writer(s))
        return compare_writing(s->core, asked, filled, err);
    code = compare_flags(s->core, asked, err);
    if (code == RSQ_OK)
        code = rsq_core_make_writable(s->core, filled, sink_of(s), err);
    settle(s, true);
    return code;
}

static rsq_code open_alone(rsq_shared *s, const char *path, const rsq_open_options *filled, rsq_error *err)
{
    s->state = RSQ_SHARED_OPEN;
    return open_core(s, path, filled, err);
}

rsq_code rsq_shared_open(const char *path, const rsq_open_options *asked, const rsq_open_options *filled,
                         rsq_shared **out, rsq_error *err)
{
    rsq_shared *fresh = make_shared();
    rsq_shared *s = fresh;
    rsq_code code;

    if (!fresh)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    if (rsq_path_is_memory(path)) {
        code = open_alone(fresh, path, filled, err);
    } else if ((s = find_or_claim(path, fresh)) != fresh) {
        free_shared(fresh);
        code = join(s, asked, filled, err);
        if (code != RSQ_OK)
            rsq_shared_release(s);
        fresh = NULL;
    } else {
        /* Nobody else sees it before it has settled. */
        bool listed = fresh->listed;

        code = open_core(fresh, path, filled, err);
        if (listed)
            settle(fresh, code == RSQ_OK);
        else
            settle_birth(fresh, path, code == RSQ_OK);
    }
    if (code == RSQ_OK)
        *out = s;
    else
        free_shared(fresh);
    return code;
}

uint32_t rsq_shared_number(rsq_shared *s)
{
    uint32_t number;

    rsq_mutex_lock(&files.mu);
    number = ++s->numbers;
    rsq_mutex_unlock(&files.mu);
    return number;
}

void rsq_shared_release(rsq_shared *s)
{
    rsq_mutex_lock(&files.mu);
    assert(s->refs > 0);
    if (--s->refs > 0) {
        rsq_mutex_unlock(&files.mu);
        return;
    }
    s->state = RSQ_SHARED_CLOSING;
    rsq_mutex_unlock(&files.mu);
    rsq_streams_stop(s->streams);
    rsq_core_close(s->core);
    rsq_mutex_lock(&files.mu);
    unlist_locked(s);
    rsq_cond_broadcast(&files.changed);
    rsq_mutex_unlock(&files.mu);
    free_shared(s);
}

size_t rsq_shared_handles(const rsq_shared *s)
{
    size_t n;

    rsq_mutex_lock(&files.mu);
    n = s->refs;
    rsq_mutex_unlock(&files.mu);
    return n;
}
