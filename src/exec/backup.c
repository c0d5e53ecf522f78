#include "exec/backup.h"

#include "base/error.h"
#include "exec/tx.h"

/* Between two looks whether it shall go on. */
#define STEP_PAGES 256

typedef struct backup {
    rsq_core *core;
    const rsq_client *client;
    const rsq_backup_options *o;
    rsq_lease lease;
    int64_t deadline_ns;
} backup;

static bool is_too_old(const backup *b)
{
    return b->core->reader_age_limit_ms && b->lease.reader &&
           rsq_readers_was_too_old(&b->core->readers, b->lease.reader);
}

static rsq_code may_go_on(const backup *b, const rsq_copy_state *state, rsq_error *err)
{
    const rsq_backup_options *o = b->o;

    if (rsq_client_is_closing(b->client))
        return rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
    if (is_too_old(b) || (o->progress && !o->progress(state->done, state->pages, o->ctx)))
        return rsq_error_set(err, RSQ_ECANCELLED, "cancelled");
    if (rsq_now_ns() > b->deadline_ns)
        return rsq_error_set(err, RSQ_ETIMEOUT, "the deadline passed");
    return RSQ_OK;
}

static rsq_code copy(const backup *b, const char *path, rsq_error *err)
{
    rsq_copy_state state = {.complete = false};
    rsq_copy *cp;
    rsq_code code = rsq_copy_begin(b->lease.conn, path, &cp, err);

    if (code != RSQ_OK)
        return code;
    while (code == RSQ_OK && !state.complete) {
        code = rsq_copy_step(cp, STEP_PAGES, &state, err);
        if (code == RSQ_OK)
            code = may_go_on(b, &state, err);
    }
    rsq_copy_end(cp, code == RSQ_OK);
    return code;
}

rsq_code rsq_core_backup(rsq_core *core, const rsq_client *client, const char *path,
                         const rsq_backup_options *o, uint64_t *commit_seq, rsq_error *err)
{
    static const char name[] = "a backup (rsq_backup)";
    rsq_request rq = {.client = client, .sql = name, .sql_len = sizeof name - 1};
    backup b = {.core = core, .client = client, .o = o, .deadline_ns = RSQ_NO_DEADLINE};
    rsq_code code;

    if (core->single && rsq_tx_here(core))
        return rsq_error_set(err, RSQ_EMISUSE,
                             "a backup would wait for the transaction that it is called in");
    if (o->timeout_ms)
        b.deadline_ns = rsq_deadline_ns(o->timeout_ms);
    code = rsq_core_lease(core, &rq, rsq_core_timeout(core, o->timeout_ms), &b.lease, err);
    if (code != RSQ_OK)
        return code;
    *commit_seq = rsq_conn_snapshot_seq(b.lease.conn);
    rsq_core_limit_age(core, &b.lease);
    code = copy(&b, path, err);
    code = rsq_core_age_verdict(core, &b.lease, code, err);
    rsq_core_release(core, &b.lease);
    return code;
}
