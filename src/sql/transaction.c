/*
 * Transactions of the writer, and the account of what was committed.
 *
 * SQLite says by the log hook that a commit really wrote something; the change
 * counter then tells its number, and whether another process committed since
 * our last one, which means that anything may have changed.
 */
#include "sql/internal.h"

#include "base/plant.h"
#include "base/profile.h"

/*
 * SQLite may keep the read transaction of a statement that failed: an R-Tree
 * does, of an UPDATE that met a key that is there. When another process commits
 * meanwhile, the next write would find its snapshot outdated: "locked".
 */
static void end_leftover(rsq_conn *c)
{
    if (!sqlite3_get_autocommit(c->db) || sqlite3_txn_state(c->db, NULL) == SQLITE_TXN_NONE)
        return;
    if (rsq_conn_control(c, RSQ_CONTROL_BEGIN) != SQLITE_OK ||
        rsq_conn_control(c, RSQ_CONTROL_ROLLBACK) != SQLITE_OK)
        c->broken = true;
}

static uint64_t next_own_number(rsq_conn *c)
{
    return atomic_fetch_add_explicit(&c->config->seq->newest, 1, memory_order_relaxed) + 1;
}

void rsq_conn_note_lock(rsq_conn *c)
{
    if (!c->walindex.mapped)
        return;
    c->locked = true;
    c->raw_locked = rsq_walindex_live_counter(&c->walindex);
    /* It stepped back: another process has recovered the index. */
    if ((int32_t)(c->raw_locked - c->raw_before) < 0)
        rsq_seq_rebase(c->config->seq, c->raw_locked);
    (void)rsq_seq_extend(c->config->seq, c->raw_locked);
}

/* The number of the commit that just happened; `*foreign` if others committed before it. */
static uint64_t number_commit(rsq_conn *c, bool *foreign)
{
    uint32_t raw;

    *foreign = false;
    if (!c->walindex.mapped)
        return next_own_number(c);
    /* Without a row event (a schema change) another process's commit may have come after ours already. */
    raw = c->locked ? c->raw_locked + c->logged : rsq_walindex_live_counter(&c->walindex);
    *foreign = raw != c->raw_before + c->logged;
    c->raw_before = raw;
    return rsq_seq_extend(c->config->seq, raw);
}

static void end_account(rsq_conn *c)
{
    c->logged = 0;
    c->locked = false;
    c->origin = 0;
    rsq_capture_end(c);
}

/* What several have a part in is nobody's. */
static void note_origin(rsq_conn *c, bool foreign)
{
    bool first = c->committed.commit_seq == 0;

    if (foreign || (!first && c->committed.origin != c->origin))
        c->committed.origin = 0;
    else
        c->committed.origin = c->origin;
}

void rsq_conn_note_commit(rsq_conn *c)
{
    rsq_table_bits *changed = &c->capture.transaction;
    bool wrote = c->wal ? c->logged > 0 : !rsq_table_bits_empty(changed);
    uint64_t seq;
    bool foreign;

    if (wrote) {
        /* What wrote without a row event is not known. */
        if (rsq_table_bits_empty(changed) && !RSQ_PLANTED(RSQ_PLANT_SCHEMA) &&
            !RSQ_PLANTED(RSQ_PLANT_LATE_HOOK))
            changed->all = true;
        seq = number_commit(c, &foreign);
        note_origin(c, foreign);
        /* Of the first one the number before it tells; of a later one this must. */
        if (foreign && c->committed.commit_seq != 0)
            c->committed.tables.all = true;
        if (c->committed.commit_seq == 0)
            c->committed.before_seq = seq - (c->wal ? c->logged : 1);
        c->committed.commit_seq = seq;
        rsq_capture_commit(c, &c->committed);
    }
    end_account(c);
}

/*
 * After a failure the log hook is not called, although OR FAIL commits what it
 * kept. SQLite calls it with the next statement that succeeds, whatever that
 * writes to; in an attached database it would be counted with that one's commit.
 * So an empty transaction lets it be called now.
 */
static void ask_log(rsq_conn *c)
{
    if (!c->wal || !sqlite3_get_autocommit(c->db))
        return;
    if (rsq_conn_control(c, RSQ_CONTROL_BEGIN) != SQLITE_OK ||
        rsq_conn_control(c, RSQ_CONTROL_COMMIT) != SQLITE_OK)
        c->broken = true;
}

/*
 * Rows that were undone count as changes too, if a trigger made them; so it is
 * the counter that tells. If it has moved, it may have been another process, and
 * then not only our own tables have changed.
 */
static bool may_have_committed(const rsq_conn *c)
{
    return c->logged > 0 || !c->walindex.mapped || !c->locked ||
           rsq_walindex_live_counter(&c->walindex) != c->raw_locked;
}

void rsq_conn_note_failure(rsq_conn *c, int64_t total_before)
{
    bool changed = sqlite3_total_changes64(c->db) != total_before || c->capture.nested;

    end_leftover(c);
    if (changed)
        ask_log(c);
    if (!changed || (c->wal && !may_have_committed(c))) {
        rsq_capture_drop(c);
    } else if (c->wal) {
        c->logged = c->logged ? c->logged : 1;
        c->capture.transaction.all = true;
    }
    rsq_conn_note_commit(c);
}

bool rsq_conn_take_changes(rsq_conn *c, rsq_changes *out)
{
    if (c->committed.commit_seq == 0)
        return false;
    *out = c->committed;
    c->committed = (rsq_changes){0};
    return true;
}

/* The statement that drops the temporary object made last, since what refers to another was made after it.
 * `*drop` NULL: there is none. SQLite's code. */
static int next_temporary(rsq_conn *c, char **drop)
{
    static const char next_one[] =
        "SELECT format('DROP %s temp.\"%w\"', type, name) FROM temp.sqlite_schema "
        "WHERE type IN ('table', 'view', 'trigger') AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid DESC";
    sqlite3_stmt *s = NULL;
    bool found = false;
    int rc;

    *drop = NULL;
    rc = sqlite3_prepare_v2(c->db, next_one, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(s, 0);

        found = true;
        *drop = text ? sqlite3_mprintf("%s", text) : NULL;
    }
    rc = sqlite3_finalize(s);
    return rc == SQLITE_OK && found && !*drop ? SQLITE_NOMEM : rc;
}

/*
 * Temporary objects are for the transaction that makes them: one that stayed
 * would hide a table of the same name from the writer, and from no reader.
 */
int rsq_conn_drop_temporary(rsq_conn *c)
{
    char *drop = NULL;
    int rc;

    if (!c->has_temp || c->role == RSQ_CONN_ONLY)
        return SQLITE_OK;
    do {
        rc = next_temporary(c, &drop);
        if (rc == SQLITE_OK && drop)
            rc = rsq_conn_run(c, drop);
        sqlite3_free(drop);
    } while (rc == SQLITE_OK && drop);
    /* What is still there is tried again, and meanwhile makes the transaction fail. */
    c->has_temp = rc != SQLITE_OK;
    return rc;
}

rsq_code rsq_conn_begin_for(rsq_conn *c, uint32_t origin, const char *what, rsq_error *err)
{
    int rc;

    if (rsq_conn_has_leftover(c))
        return rsq_conn_refuse_leftover(c, err);
    rsq_capture_assert(c);
    rsq_capture_drop(c);
    end_account(c);
    rc = rsq_conn_control(c, RSQ_CONTROL_BEGIN_IMMEDIATE);
    if (rc != SQLITE_OK) {
        rsq_code code = rsq_sql_error(c, rc, what, err);

        /* Whatever is open then is nobody's, and must not be joined. */
        rsq_conn_rollback(c);
        return code;
    }
    c->guard.may_temp = true;
    c->origin = origin;
    rsq_conn_note_lock(c);
    c->snapshot_seq = atomic_load_explicit(&c->config->seq->newest, memory_order_relaxed);
    return RSQ_OK;
}

rsq_code rsq_conn_begin(rsq_conn *c, uint32_t origin, rsq_error *err)
{
    return rsq_conn_begin_for(c, origin, "begin", err);
}

/*
 * What a transaction made goes with its rollback. But SQLite says nothing when
 * rolling the temporary database back fails for want of memory, so it is looked
 * at: a connection that kept something, or cannot tell, is replaced.
 */
static void expect_no_temporary(rsq_conn *c)
{
    char *left = NULL;

    if (c->has_temp && c->role != RSQ_CONN_ONLY && (next_temporary(c, &left) != SQLITE_OK || left))
        c->broken = true;
    sqlite3_free(left);
    c->has_temp = false;
}

void rsq_conn_mend(rsq_conn *c)
{
    if (!c->broken)
        return;
    /* There was no memory even to roll back. */
    if (!sqlite3_get_autocommit(c->db))
        rsq_conn_rollback(c);
    c->broken = !sqlite3_get_autocommit(c->db);
}

void rsq_conn_rollback(rsq_conn *c)
{
    c->guard.may_temp = false;
    /* SQLite may have rolled back by itself; then there is nothing to do, and nothing that could fail. */
    if (!sqlite3_get_autocommit(c->db) && rsq_conn_control(c, RSQ_CONTROL_ROLLBACK) != SQLITE_OK)
        c->broken = true;
    end_leftover(c);
    expect_no_temporary(c);
    rsq_capture_drop(c);
    end_account(c);
}

rsq_code rsq_conn_refuse_leftover(rsq_conn *c, rsq_error *err)
{
    rsq_conn_rollback(c);
    return rsq_error_set(err, RSQ_ENOMEM, "there was no memory to roll back the transaction before");
}

static rsq_code refuse_commit(rsq_conn *c, rsq_error *err)
{
    rsq_conn_rollback(c);
    return rsq_error_set(err, RSQ_EIO,
                         "commit: an error before it left the connection in doubt; rolled back");
}

static int control_commit(rsq_conn *c)
{
    int64_t began = rsq_profile_begin();
    int rc = rsq_conn_control(c, RSQ_CONTROL_COMMIT);

    rsq_profile_end(RSQ_TIME_WRITER_COMMIT, began);
    return rc;
}

rsq_code rsq_conn_commit(rsq_conn *c, rsq_error *err)
{
    int rc;

    if (c->broken)
        return refuse_commit(c, err);
    rc = rsq_conn_drop_temporary(c);
    if (rc == SQLITE_OK)
        rc = control_commit(c);
    /* COMMIT itself may have changed rows: FTS5 writes what it holds back only now. */
    rsq_capture_statement_end(c, 0);
    if (rc != SQLITE_OK) {
        rsq_code code = rsq_sql_error(c, rc, "commit", err);

        rsq_conn_rollback(c);
        return code;
    }
    c->guard.may_temp = false;
    rsq_conn_note_commit(c);
    return RSQ_OK;
}

rsq_code rsq_conn_savepoint(rsq_conn *c, unsigned depth, rsq_error *err)
{
    int rc = rsq_conn_control_savepoint(c, RSQ_SAVEPOINT_SET, depth);

    return rc == SQLITE_OK ? RSQ_OK : rsq_sql_error(c, rc, "savepoint", err);
}

void rsq_conn_rollback_to(rsq_conn *c, unsigned depth)
{
    /* What the undone statements changed stays noted: a query may wake once too often, never too seldom. */
    if (sqlite3_get_autocommit(c->db))
        return;
    if (RSQ_PLANTED(RSQ_PLANT_ROLLBACK_TO))
        rsq_table_bits_clear(&c->capture.transaction);
    if (rsq_conn_control_savepoint(c, RSQ_SAVEPOINT_ROLLBACK_TO, depth) == SQLITE_OK &&
        rsq_conn_control_savepoint(c, RSQ_SAVEPOINT_RELEASE, depth) == SQLITE_OK)
        return;
    /* What cannot be undone alone is undone with all of it: better nothing than half. */
    rsq_conn_rollback(c);
}

rsq_code rsq_conn_release(rsq_conn *c, unsigned depth, rsq_error *err)
{
    int rc = rsq_conn_control_savepoint(c, RSQ_SAVEPOINT_RELEASE, depth);
    rsq_code code;

    if (rc == SQLITE_OK)
        return RSQ_OK;
    code = rsq_sql_error(c, rc, "release", err);
    rsq_conn_rollback_to(c, depth);
    return code;
}
