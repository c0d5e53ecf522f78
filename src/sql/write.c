/* One statement on the writer's connection. */
#include "sql/internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/plant.h"
#include "base/profile.h"

/*
 * Inlined in both that call it, the timed one and the plain one: with calls instead an insert takes 12,023
 * instructions where a library without counters takes 12,009, and counters that are off may cost 0.1 %
 * (tests/profile/budget.py).
 */
static inline __attribute__((always_inline)) rsq_code step_all(rsq_conn *c, rsq_stmt *s,
                                                               const rsq_request *rq, bool want_rows,
                                                               rsq_result **out, rsq_error *err)
{
    rsq_result *r = NULL;
    rsq_code code = RSQ_OK;
    int rc = sqlite3_step(s->h);

    if (want_rows && sqlite3_column_count(s->h) > 0) {
        code = rsq_rows_collect(c, s, rq, rc, &r, err);
    } else {
        while (rc == SQLITE_ROW)
            rc = sqlite3_step(s->h);
        if (rc != SQLITE_DONE)
            code = rsq_sql_error(c, rc, NULL, err);
    }
    /* A deferred foreign key makes the reset of an autocommit statement fail, not its step. */
    rc = sqlite3_reset(s->h);
    if (code == RSQ_OK && rc != SQLITE_OK)
        code = rsq_sql_error(c, rc, NULL, err);
    if (code != RSQ_OK) {
        rsq_result_unref(r);
        return code;
    }
    if (out)
        *out = r;
    return RSQ_OK;
}

static __attribute__((noinline, cold)) rsq_code step_timed(rsq_conn *c, rsq_stmt *s, const rsq_request *rq,
                                                           bool want_rows, rsq_result **out, rsq_error *err)
{
    rsq_code code;

    rsq_write_times_begin(c);
    code = step_all(c, s, rq, want_rows, out, err);
    rsq_write_times_end(c);
    return code;
}

static rsq_code step_once(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, bool want_rows, rsq_result **out,
                          rsq_error *err)
{
    return rsq_profile_on() ? step_timed(c, s, rq, want_rows, out, err)
                            : step_all(c, s, rq, want_rows, out, err);
}

/* Row ids in the schema are nobody's business, also not that of SQL's last_insert_rowid(). */
void rsq_conn_note_rowid(rsq_conn *c, uint32_t kind)
{
    if (kind & RSQ_STMT_SCHEMA)
        sqlite3_set_last_insert_rowid(c->db, c->last_insert_rowid);
    else
        c->last_insert_rowid = sqlite3_last_insert_rowid(c->db);
}

/* The tables that the statement changed, by name. `room`: bytes behind the result. */
static void name_tables(const rsq_conn *c, rsq_result *r, size_t room)
{
    const rsq_table_bits *set = &c->capture.statement;
    const rsq_table_name *names = c->capture.tables.names;
    size_t size = 0, count = 0;
    char *text;

    for (int i = rsq_table_bits_next(set, 0); i >= 0; i = rsq_table_bits_next(set, i + 1)) {
        size += sizeof *r->changed_tables + names[i].len + 1;
        count++;
    }
    r->wrote = !rsq_table_bits_empty(set);
    r->changed_tables = (const char **)(void *)rsq_result_extra(r);
    if (size > room)
        r->changed_tables = r->changed_block = rsq_alloc(size);
    if (!r->changed_tables)
        return;
    text = (char *)(r->changed_tables + count);
    for (int i = rsq_table_bits_next(set, 0); i >= 0; i = rsq_table_bits_next(set, i + 1)) {
        r->changed_tables[r->nchanged++] = text;
        memcpy(text, names[i].text, names[i].len + 1);
        text += names[i].len + 1;
    }
}

void rsq_conn_fill_result(rsq_conn *c, rsq_result *r, size_t room, int64_t changes)
{
    r->changes = changes;
    r->last_insert_rowid = c->last_insert_rowid;
    name_tables(c, r, room);
    /* The next event starts a new set, whatever table it is of. */
    rsq_capture_statement_begin(c);
    r->commit_seq = sqlite3_get_autocommit(c->db) ? c->committed.commit_seq : 0;
}

/*
 * SQLite undoes a statement that fails if it has foreseen that, as it has for each
 * constraint. It has not for a value that a STRICT table does not take, among others:
 * in a transaction the rows before that one stay.
 */
static bool may_leave_rows(const rsq_conn *c)
{
    int rc = sqlite3_extended_errcode(c->db);

    return !rsq_table_bits_empty(&c->capture.statement) &&
           ((rc & 0xff) != SQLITE_CONSTRAINT || rc == SQLITE_CONSTRAINT_DATATYPE);
}

/*
 * RETURNING: all rows are changed before the first one is given, and a reset in
 * between commits them. So it is a unit: when the rows cannot be handed over,
 * for want of memory or over the caller's limit, they are not changed. What
 * SQLite itself decided after a failure (OR FAIL keeps rows) stands, but for rows
 * that it leaves only because there is a transaction around the statement.
 */
static rsq_code execute_returning(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, rsq_result **out,
                                  rsq_error *err)
{
    rsq_error ignored;
    rsq_unit unit;
    bool left;
    rsq_code code = rsq_unit_begin(&unit, c, RSQ_UNIT_STATEMENT, rq->origin, err);

    if (code != RSQ_OK)
        return code;
    rsq_capture_statement_begin(c);
    code = step_once(c, s, rq, true, out, err);
    left = code != RSQ_OK && may_leave_rows(c);
    rsq_capture_statement_end(c, s->kind);
    rsq_conn_note_rowid(c, s->kind);
    if (code == RSQ_ETOOBIG || code == RSQ_ENOMEM || left || sqlite3_get_autocommit(c->db))
        rsq_unit_undo(&unit);
    else if (code != RSQ_OK)
        (void)rsq_unit_keep(&unit, &ignored);
    else
        code = rsq_unit_keep(&unit, err);
    if (code != RSQ_OK) {
        rsq_result_unref(*out);
        *out = NULL;
    }
    return code;
}

static rsq_code execute_plain(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, rsq_result **out,
                              rsq_error *err)
{
    bool alone = sqlite3_get_autocommit(c->db) != 0;
    int64_t total = sqlite3_total_changes64(c->db);
    rsq_code code;

    if (alone) {
        rsq_capture_assert(c);
        c->origin = rq->origin;
    }
    rsq_capture_statement_begin(c);
    rsq_capture_statement_is(c, s);
    code = step_once(c, s, rq, out != NULL, out, err);
    c->left_rows = code != RSQ_OK && !alone && may_leave_rows(c);
    /* SQLite does not count rows that a trigger changed before one inside it failed, and OR FAIL keeps them.
     */
    if (code != RSQ_OK && !c->left_rows &&
        ((sqlite3_total_changes64(c->db) == total && !c->capture.nested) || RSQ_PLANTED(RSQ_PLANT_OR_FAIL)))
        rsq_capture_statement_drop(c);
    rsq_capture_statement_end(c, s->kind);
    rsq_conn_note_rowid(c, s->kind);
    if (alone && code == RSQ_OK && rsq_conn_drop_temporary(c) != SQLITE_OK)
        c->broken = true;
    if (alone && code == RSQ_OK)
        rsq_conn_note_commit(c);
    else if (alone)
        rsq_conn_note_failure(c, total);
    else if (sqlite3_get_autocommit(c->db))
        rsq_conn_rollback(c); /* SQLite rolled the transaction back */
    return code;
}

rsq_code rsq_conn_execute_prepared(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, rsq_result **out,
                                   rsq_error *err)
{
    rsq_result *rows = NULL, *r = NULL;
    rsq_code code = rsq_stmt_bind_request(c, s, rq, err);

    c->left_rows = false;
    if (code != RSQ_OK)
        return code;
    /* Before anything is changed: afterwards it would be too late to fail. */
    if (out && !(r = rsq_result_new(RSQ_RESULT_NAMES_ROOM)))
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    if (s->kind & RSQ_STMT_SCHEMA)
        c->stale = c->has_temp = true; /* rather looked for once too often */
    if (out && rsq_stmt_is_dml(s) && sqlite3_column_count(s->h) > 0)
        code = execute_returning(c, s, rq, &rows, err);
    else
        code = execute_plain(c, s, rq, out ? &rows : NULL, err);
    if (code == RSQ_OK && out) {
        size_t room = rows ? 0 : RSQ_RESULT_NAMES_ROOM;

        if (rows) {
            rsq_result_unref(r);
            r = rows;
        }
        rsq_conn_fill_result(c, r, room, rsq_stmt_is_dml(s) ? sqlite3_changes64(c->db) : 0);
        *out = r;
        return RSQ_OK;
    }
    rsq_result_unref(r);
    return code;
}

rsq_code rsq_conn_execute(rsq_conn *c, const rsq_request *rq, rsq_result **out, rsq_error *err)
{
    rsq_stmt *s;
    rsq_code code = rsq_conn_prepare(c, rq, &s, err);

    return code == RSQ_OK ? rsq_conn_execute_prepared(c, s, rq, out, err) : code;
}
