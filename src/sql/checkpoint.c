/* The write-ahead log: how long it is, and copying it into the database. */
#include "sql/internal.h"

/* Pages by which the log grows between two checkpoints. */
#define CHECKPOINT_PAGES 1000

/* Pages from which readers are asked to pause, so that the log can begin anew. */
#define RESTART_PAGES 4000

/* Pages from which no read in chunks may hold the log back any more; documented at rsq_cursor_open(). */
#define OVERLONG_PAGES 16000

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

rsq_log_wish rsq_conn_log_wish(const rsq_conn *c)
{
    rsq_log_wish wish = RSQ_LOG_FINE;

    for (size_t i = 0; i <= c->config->nattach; i++) {
        if (c->logs[i].pages < c->logs[i].checkpoint_at)
            continue;
        if (c->logs[i].pages >= OVERLONG_PAGES)
            return RSQ_LOG_OVERLONG;
        if (c->logs[i].pages >= RESTART_PAGES)
            wish = RSQ_LOG_RESTART;
        else if (wish < RSQ_LOG_COPY)
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
