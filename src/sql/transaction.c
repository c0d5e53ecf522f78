/*
 * Transactions of the writer, and the account of what was committed.
 *
 * SQLite says by the log hook that a commit really wrote something; the change
 * counter then tells its number, and whether another process committed since
 * our last one, which means that anything may have changed.
 */
#include "sql/internal.h"

#include <stdio.h>

/* Pages by which the log grows between two checkpoints. */
#define CHECKPOINT_PAGES 1000

/* Pages from which readers are asked to pause, so that the log can begin anew. */
#define RESTART_PAGES 4000

static rsq_log *log_of(rsq_conn *c, const char *schema)
{
    for (size_t i = 0; i < c->config->nattach; i++) {
        if (sqlite3_stricmp(schema, c->config->attach[i].name) == 0)
            return &c->logs[i + 1];
    }
    return &c->logs[0];
}

/* SQLite's log hook: a commit has written to a log. */
static int logged(void *conn, sqlite3 *db, const char *schema, int pages)
{
    rsq_conn *c = conn;
    rsq_log *log = log_of(c, schema);

    (void)db;
    c->logged++;
    if (pages < log->pages)
        log->checkpoint_at = CHECKPOINT_PAGES; /* it began anew */
    log->pages = pages;
    return SQLITE_OK;
}

void rsq_conn_start_log(rsq_conn *c)
{
    for (size_t i = 0; i <= c->config->nattach; i++)
        c->logs[i].checkpoint_at = CHECKPOINT_PAGES;
    sqlite3_wal_hook(c->db, logged, c);
}

static uint64_t next_own_number(rsq_conn *c)
{
    return atomic_fetch_add_explicit(&c->config->seq->newest, 1, memory_order_relaxed) + 1;
}

/* The number of the commit that just happened; `*foreign` if others committed too. */
static uint64_t number_commit(rsq_conn *c, bool *foreign)
{
    uint32_t raw;

    *foreign = false;
    if (!c->walindex.mapped)
        return next_own_number(c);
    raw = rsq_walindex_live_counter(&c->walindex);
    *foreign = raw != c->raw_before + c->logged;
    c->raw_before = raw;
    return rsq_seq_extend(c->config->seq, raw);
}

void rsq_conn_note_commit(rsq_conn *c)
{
    bool wrote = c->wal ? c->logged > 0 : !rsq_names_empty(&c->capture.transaction);
    bool foreign;

    if (wrote) {
        c->committed.commit_seq = number_commit(c, &foreign);
        rsq_names_merge(&c->committed.tables, &c->capture.transaction);
        if (foreign)
            c->committed.tables.all = true;
    }
    c->logged = 0;
    rsq_names_clear(&c->capture.transaction);
}

bool rsq_conn_take_changes(rsq_conn *c, rsq_changes *out)
{
    if (c->committed.commit_seq == 0)
        return false;
    *out = c->committed;
    c->committed = (rsq_changes){0};
    return true;
}

rsq_log_wish rsq_conn_log_wish(const rsq_conn *c)
{
    rsq_log_wish wish = RSQ_LOG_FINE;

    for (size_t i = 0; i <= c->config->nattach; i++) {
        if (c->logs[i].pages < c->logs[i].checkpoint_at)
            continue;
        if (c->logs[i].pages >= RESTART_PAGES)
            return RSQ_LOG_RESTART;
        wish = RSQ_LOG_COPY;
    }
    return wish;
}

void rsq_conn_checkpoint_passive(rsq_conn *c)
{
    /*
     * Busy or failed only means that the log stays longer. It begins anew by
     * itself when all of it is copied and no reader uses it; until then the next
     * attempt waits for as many pages again, or each commit would make one.
     */
    for (size_t i = 0; i <= c->config->nattach; i++) {
        const char *schema = i == 0 ? "main" : c->config->attach[i - 1].name;

        if (c->logs[i].pages < c->logs[i].checkpoint_at)
            continue;
        (void)sqlite3_wal_checkpoint_v2(c->db, schema, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        c->logs[i].checkpoint_at = c->logs[i].pages + CHECKPOINT_PAGES;
    }
}

rsq_code rsq_conn_begin(rsq_conn *c, rsq_error *err)
{
    int rc;

    rsq_capture_assert(c);
    rsq_capture_drop(c);
    c->logged = 0;
    rc = rsq_conn_control(c, RSQ_CONTROL_BEGIN_IMMEDIATE);
    if (rc != SQLITE_OK)
        return rsq_sql_error(c, rc, "begin", err);
    c->guard.may_temp = true;
    /* With the write lock held nobody else commits: the number is exact for all reads inside. */
    if (c->walindex.mapped)
        (void)rsq_seq_extend(c->config->seq, rsq_walindex_live_counter(&c->walindex));
    c->snapshot_seq = atomic_load_explicit(&c->config->seq->newest, memory_order_relaxed);
    return RSQ_OK;
}

void rsq_conn_rollback(rsq_conn *c)
{
    c->guard.may_temp = false;
    /* SQLite may have rolled back by itself; then there is nothing to do, and nothing that could fail. */
    if (!sqlite3_get_autocommit(c->db) && rsq_conn_control(c, RSQ_CONTROL_ROLLBACK) != SQLITE_OK)
        c->broken = true;
    rsq_capture_drop(c);
    c->logged = 0;
}

rsq_code rsq_conn_commit(rsq_conn *c, rsq_error *err)
{
    int rc = rsq_conn_control(c, RSQ_CONTROL_COMMIT);

    if (rc != SQLITE_OK) {
        rsq_code code = rsq_sql_error(c, rc, "commit", err);

        rsq_conn_rollback(c);
        return code;
    }
    c->guard.may_temp = false;
    rsq_conn_note_commit(c);
    return RSQ_OK;
}

static int run_numbered(rsq_conn *c, const char *verb, unsigned depth)
{
    char sql[64];

    (void)snprintf(sql, sizeof sql, "%s rsq_%u", verb, depth);
    return rsq_conn_run(c, sql);
}

rsq_code rsq_conn_savepoint(rsq_conn *c, unsigned depth, rsq_error *err)
{
    int rc = run_numbered(c, "SAVEPOINT", depth);

    return rc == SQLITE_OK ? RSQ_OK : rsq_sql_error(c, rc, "savepoint", err);
}

rsq_code rsq_conn_release(rsq_conn *c, unsigned depth, rsq_error *err)
{
    int rc = run_numbered(c, "RELEASE", depth);

    return rc == SQLITE_OK ? RSQ_OK : rsq_sql_error(c, rc, "release", err);
}

void rsq_conn_rollback_to(rsq_conn *c, unsigned depth)
{
    /* What the undone statements changed stays noted: a query may wake once too often, never too seldom. */
    if (sqlite3_get_autocommit(c->db))
        return;
    if (run_numbered(c, "ROLLBACK TO", depth) != SQLITE_OK || run_numbered(c, "RELEASE", depth) != SQLITE_OK)
        c->broken = true;
}
