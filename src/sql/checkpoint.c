/* The write-ahead log: how long it is, and copying it into the database. */
#include "sql/internal.h"

#include <limits.h>

#include "plat/thread.h"

/*
 * Pages by which the log grows between two checkpoints. What a commit waits for
 * meanwhile is the disk's interrupt, which on the core that it comes to tells the
 * one who syncs of each page: the fewer at once, the shorter (experiments/0042).
 * Where each commit syncs the log there is little left to sync at once.
 */
#define CHECKPOINT_PAGES 250
#define CHECKPOINT_SYNCED_PAGES 1000

static int pages_between(const rsq_conn *c)
{
    return c->config->synchronous >= RSQ_SYNC_FULL ? CHECKPOINT_SYNCED_PAGES : CHECKPOINT_PAGES;
}

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
        log->checkpoint_at = pages_between(c); /* it began anew */
    log->pages = pages;
    return SQLITE_OK;
}

void rsq_conn_start_log(rsq_conn *c)
{
    for (size_t i = 0; i <= c->config->nattach; i++)
        c->logs[i].checkpoint_at = pages_between(c);
    sqlite3_wal_hook(c->db, logged, c);
}

int rsq_conn_log_pages(const rsq_conn *c)
{
    int longest = 0;

    for (size_t i = 0; i <= c->config->nattach; i++) {
        if (c->logs[i].pages > longest)
            longest = c->logs[i].pages;
    }
    return longest;
}

bool rsq_conn_log_grew(rsq_conn *c)
{
    bool grew = false;

    for (size_t i = 0; i <= c->config->nattach; i++) {
        if (c->logs[i].pages < c->logs[i].checkpoint_at)
            continue;
        /* The next time is when there are as many pages again, whatever becomes of these. */
        c->logs[i].checkpoint_at = c->logs[i].pages + pages_between(c);
        grew = true;
    }
    return grew;
}

uint32_t rsq_conn_page_size(const rsq_conn *c)
{
    sqlite3_stmt *s = NULL;
    uint32_t size = 0;

    if (sqlite3_prepare_v2(c->db, "PRAGMA page_size", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        size = (uint32_t)sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return size;
}

static const int modes[] = {
    [RSQ_CHECKPOINT_PASSIVE] = SQLITE_CHECKPOINT_PASSIVE,
    [RSQ_CHECKPOINT_RESTART] = SQLITE_CHECKPOINT_RESTART,
    [RSQ_CHECKPOINT_TRUNCATE] = SQLITE_CHECKPOINT_TRUNCATE,
};

/*
 * A passive checkpoint waits for nobody, so SQLite gives it up also when it meets a commit that is just
 * writing the header of the log's index, which takes a moment. SQLite's code.
 */
static int copy_log(rsq_conn *c, const char *schema, uint32_t mode, int64_t until_ns, int *pages, int *copied)
{
    int rc = sqlite3_wal_checkpoint_v2(c->db, schema, modes[mode], pages, copied);

    while ((rc & 0xff) == SQLITE_BUSY && mode == RSQ_CHECKPOINT_PASSIVE && rsq_now_ns() < until_ns) {
        (void)sqlite3_sleep(1);
        rc = sqlite3_wal_checkpoint_v2(c->db, schema, modes[mode], pages, copied);
    }
    return rc;
}

static rsq_code checkpoint_one(rsq_conn *c, const char *schema, uint32_t mode, int64_t until_ns,
                               rsq_log_figures *sum, rsq_error *err)
{
    int pages = -1, copied = -1;
    int rc = copy_log(c, schema, mode, until_ns, &pages, &copied);

    sum->pages += pages > 0 ? (uint64_t)pages : 0;
    sum->copied += copied > 0 ? (uint64_t)copied : 0;
    if ((rc & 0xff) == SQLITE_BUSY) {
        rsq_code code = rsq_error_set(err, RSQ_EBUSY, "checkpoint: another process uses the log");

        if (err)
            err->sqlite_code = rc;
        return code;
    }
    return rc == SQLITE_OK ? RSQ_OK : rsq_sql_error(c, rc, "checkpoint", err);
}

rsq_code rsq_conn_checkpoint(rsq_conn *c, uint32_t mode, uint32_t busy_ms, rsq_log_figures *out,
                             rsq_error *err)
{
    int64_t until_ns = rsq_deadline_ns(busy_ms);
    rsq_log_figures sum = {0};
    rsq_code code = RSQ_OK;

    sqlite3_busy_timeout(c->db, busy_ms < INT_MAX ? (int)busy_ms : INT_MAX);
    for (size_t i = 0; code == RSQ_OK && i <= c->config->nattach; i++)
        code = checkpoint_one(c, i == 0 ? "main" : c->config->attach[i - 1].name, mode, until_ns, &sum, err);
    *out = sum;
    return code;
}
