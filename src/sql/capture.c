/*
 * What changes: SQLite's preupdate hook, called once for each row before it is
 * inserted, updated or deleted, by whatever part of a statement: trigger,
 * foreign-key action, the victim of a REPLACE.
 *
 * It must be there before the first statement is compiled: a DELETE without
 * WHERE that was compiled without it truncates the table and reports nothing.
 * Schema changes report nothing either; the guard's verdict stands for them.
 */
#include "sql/internal.h"

#include <assert.h>

void rsq_capture_preupdate(void *conn, sqlite3 *db, int op, const char *schema, const char *table,
                           sqlite3_int64 key1, sqlite3_int64 key2)
{
    rsq_conn *c = conn;
    rsq_capture *cap = &c->capture;

    (void)db;
    (void)op;
    (void)key1;
    (void)key2;
    if (!c->locked)
        rsq_conn_note_lock(c);
    /* Both names belong to the schema, which cannot change while a statement runs. */
    if (table == cap->last_table && schema == cap->last_schema)
        return;
    cap->last_table = table;
    cap->last_schema = schema;
    /* Temporary tables are the writer's own, and no reader can see them, unless there is but one connection.
     */
    if (c->role == RSQ_CONN_ONLY || sqlite3_stricmp(schema, "temp") != 0)
        rsq_names_add(&cap->statement, schema, table);
}

void rsq_capture_statement_begin(rsq_conn *c)
{
    rsq_names_clear(&c->capture.statement);
    c->capture.last_table = NULL;
    c->capture.last_schema = NULL;
}

void rsq_capture_statement_end(rsq_conn *c, uint32_t kind)
{
    rsq_names_merge(&c->capture.transaction, &c->capture.statement);
    c->capture.last_table = NULL;
    c->capture.last_schema = NULL;
    if (kind & RSQ_STMT_SCHEMA)
        c->capture.transaction.all = true;
}

void rsq_capture_drop(rsq_conn *c)
{
    rsq_names_clear(&c->capture.transaction);
}

void rsq_capture_assert(rsq_conn *c)
{
    /* Setting the hook returns the context of the one before: the session extension would have replaced ours.
     */
    void *before = sqlite3_preupdate_hook(c->db, rsq_capture_preupdate, c);

    assert(before == c);
    if (before != c)
        c->capture.transaction.all = true;
}
