/*
 * Snapshots of a reader.
 *
 * In write-ahead-log mode opening a read transaction costs four system calls,
 * more than a point query itself. So a reader leaves its transaction open after
 * a query, and at the next one compares the header of the log's index, in
 * shared memory, with the copy it took when the transaction began: equal means
 * its snapshot is still the newest. See walindex.h for the technique.
 *
 *        ┌────────┐ open: copy header, BEGIN, touch each schema ┌──────┐
 *        │  none  │ ───────────────────────────────────────────►│ open │──┐ open: header unchanged
 *        └────────┘ ◄───────────────────────────────────────────└──────┘◄─┘
 *                     close: COMMIT, and no statement left running
 *
 * Where snapshots are not kept, a statement that is alone and finds the header as
 * the last snapshot left it needs no BEGIN: its own read transaction opens with its
 * first step. If the header is still the same then, no commit came between, and the
 * snapshot's number is known.
 *
 * The state is SQLite's own (autocommit, transaction state), never a flag of
 * ours: an error inside a query may have ended the transaction silently, and a
 * statement that was not reset may keep an old snapshot alive after COMMIT.
 */
#include "sql/internal.h"

#include <assert.h>
#include <stdio.h>

/*
 * How often a snapshot is opened anew because a commit came between its copy and
 * its start. Only a SQLite without sqlite3_snapshot_get() needs more than one or two.
 */
#define ATTEMPTS_MAX 64

/* The writer, and the only connection of a database in memory, read what is there when they read. */
static bool has_snapshots(const rsq_conn *c)
{
    return c->role == RSQ_CONN_READER;
}

uint64_t rsq_conn_newest_seq(const rsq_conn *c)
{
    return rsq_seq_extend(c->config->seq, rsq_walindex_live_counter(&c->walindex));
}

bool rsq_conn_may_keep(const rsq_conn *c)
{
    return c->wal && c->walindex.mapped;
}

uint64_t rsq_conn_snapshot_seq(const rsq_conn *c)
{
    return c->snapshot_seq;
}

bool rsq_conn_snapshot_close(rsq_conn *c)
{
    sqlite3_stmt *s = NULL;

    if (!has_snapshots(c) || sqlite3_get_autocommit(c->db))
        return true;
    if (rsq_conn_control(c, RSQ_CONTROL_COMMIT) == SQLITE_OK &&
        sqlite3_txn_state(c->db, NULL) == SQLITE_TXN_NONE)
        return true;
    /* A statement still runs and holds the old snapshot. */
    while ((s = sqlite3_next_stmt(c->db, s)) != NULL)
        sqlite3_reset(s);
    if (!sqlite3_get_autocommit(c->db))
        (void)rsq_conn_control(c, RSQ_CONTROL_ROLLBACK);
    if (sqlite3_txn_state(c->db, NULL) != SQLITE_TXN_NONE)
        c->broken = true;
    return !c->broken;
}

static const char *schema_name(const rsq_conn *c, size_t entry)
{
    return entry == 0 ? "main" : c->config->attach[entry - 1].name;
}

/*
 * BEGIN takes no snapshot, and a query may touch no table, so each schema is
 * touched by a statement of ours. It reads no row, but it makes SQLite compare
 * the schema that it holds in memory with the one in the file: compiling alone
 * does not, and would find the tables of a view that is no longer there.
 */
static int touch(rsq_conn *c, rsq_walindex_entry *e, const char *schema)
{
    char sql[192]; /* a schema's name has at most 64 bytes, each of which may be doubled as a quote */
    int rc;

    if (!e->toucher) {
        (void)sqlite3_snprintf((int)sizeof sql, sql, "SELECT 1 FROM \"%w\".sqlite_schema WHERE 0", schema);
        rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &e->toucher, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    rc = sqlite3_step(e->toucher);
    if (rc != SQLITE_DONE)
        return sqlite3_reset(e->toucher);
    sqlite3_reset(e->toucher);
    /* It was compiled anew: the schema is another one. */
    if (sqlite3_stmt_status(e->toucher, SQLITE_STMTSTATUS_REPREPARE, 1) > 0)
        c->stale = true;
    return SQLITE_OK;
}

/*
 * A commit came between the copy and the start: take the header of the very
 * snapshot that is open. False: this SQLite cannot tell, or not of an empty log.
 */
static bool take_exact(rsq_conn *c)
{
#if RSQ_SQLITE_BUNDLED
    rsq_walindex *w = &c->walindex;

    for (size_t i = 0; i < w->count; i++) {
        sqlite3_snapshot *snapshot = NULL;

        if (sqlite3_snapshot_get(c->db, schema_name(c, i), &snapshot) != SQLITE_OK)
            return false;
        rsq_walindex_set_copy(w, i, snapshot->hidden, sizeof snapshot->hidden);
        sqlite3_snapshot_free(snapshot);
    }
    return true;
#else
    (void)c;
    return false;
#endif
}

static int begin(rsq_conn *c)
{
    rsq_walindex *w = &c->walindex;
    int rc = rsq_conn_control(c, RSQ_CONTROL_BEGIN);

    for (size_t i = 0; rc == SQLITE_OK && i < w->count; i++)
        rc = touch(c, &w->entries[i], schema_name(c, i));
    return rc;
}

static rsq_code begin_newest(rsq_conn *c, rsq_error *err)
{
    rsq_walindex *w = &c->walindex;

    c->snapshot_exact = false;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        bool copied = w->mapped;
        int rc;

        if (copied)
            rsq_walindex_copy(w);
        rc = begin(c);
        if (rc != SQLITE_OK) {
            rsq_code code = rsq_sql_error(c, rc, NULL, err);

            (void)rsq_conn_snapshot_close(c);
            return code;
        }
        if (copied && (rsq_walindex_unchanged(w) || take_exact(c))) {
            c->snapshot_exact = true;
            break;
        }
        if (!c->wal)
            break; /* the open transaction keeps writers out instead */
        if (!copied) {
            rsq_walindex_map(w, c->db);
            if (!w->mapped)
                break; /* a file system or a VFS without shared memory: a transaction per query */
        }
        /* The snapshot is somewhere past the copy. It would do for reading; the number wants it exact. */
        if (attempt + 1 < ATTEMPTS_MAX && !rsq_conn_snapshot_close(c))
            return rsq_error_set(err, RSQ_EIO, "the reader's last snapshot cannot be ended");
    }
    c->snapshot_seq = w->mapped ? rsq_seq_extend(c->config->seq, rsq_walindex_copied_counter(w))
                                : atomic_load_explicit(&c->config->seq->newest, memory_order_relaxed);
    return RSQ_OK;
}

rsq_code rsq_conn_snapshot_alone(rsq_conn *c, rsq_error *err)
{
    bool kept = !(c->config->flags & RSQ_OPEN_NO_KEPT_SNAPSHOTS);

    if (kept || !has_snapshots(c) || !c->snapshot_exact || !sqlite3_get_autocommit(c->db) ||
        !rsq_walindex_unchanged(&c->walindex))
        return rsq_conn_snapshot_open(c, err);
    c->alone = true;
    return RSQ_OK;
}

rsq_code rsq_conn_snapshot_open(rsq_conn *c, rsq_error *err)
{
    c->alone = false;
    if (!has_snapshots(c)) {
        c->snapshot_seq = atomic_load_explicit(&c->config->seq->newest, memory_order_relaxed);
        return RSQ_OK;
    }
    if (!sqlite3_get_autocommit(c->db)) {
        if (c->walindex.mapped && rsq_walindex_unchanged(&c->walindex)) {
            /* begin() saw to it, and whatever ends it turns autocommit on. */
            assert(sqlite3_txn_state(c->db, NULL) == SQLITE_TXN_READ);
            return RSQ_OK;
        }
        if (!rsq_conn_snapshot_close(c))
            return rsq_error_set(err, RSQ_EIO, "the reader's last snapshot cannot be ended");
    }
    return begin_newest(c, err);
}

bool rsq_conn_schema_changed(rsq_conn *c)
{
    bool changed = rsq_conn_snapshot_open(c, NULL) != RSQ_OK || c->stale;

    c->stale = false;
    return !rsq_conn_snapshot_close(c) || changed;
}
