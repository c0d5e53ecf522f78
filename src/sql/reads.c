/*
 * Which tables does a query read?
 *
 * The authorizer does not say all of them (`SELECT count(*) FROM p JOIN q
 * USING (x)` reports neither), so the answer is the union of what it reports
 * and of the cursors in the compiled program: each OpenRead names a root page,
 * which the schema maps to its table. What cannot be explained (a virtual
 * table, a read of the file's header) means "every table".
 */
#include "sql/internal.h"

#include <string.h>

#include "base/alloc.h"

/* Opcodes whose answer depends on more than the tables' rows. */
static const char *const opaque[] = {"VOpen",       "ReadCookie",  "Pagecount", "MaxPgcnt",
                                     "IntegrityCk", "JournalMode", "Program"};

/* Columns of EXPLAIN. */
enum { EXPLAIN_OPCODE = 1, EXPLAIN_P2 = 3, EXPLAIN_P3 = 4 };

static void add_table(rsq_names *tables, const char *schema, const char *table)
{
    /* System tables change without a row event: they depend on every commit. */
    if (!table || sqlite3_strnicmp(table, "sqlite_", 7) == 0)
        tables->all = true;
    else
        rsq_names_add(tables, schema, table);
}

static int add_table_of_root(rsq_conn *c, int schema_index, int root, rsq_names *tables)
{
    const char *schema = sqlite3_db_name(c->db, schema_index);
    sqlite3_stmt *s = NULL;
    char *sql;
    int rc;

    if (!schema || root <= 1) {
        tables->all = true;
        return SQLITE_OK;
    }
    sql = sqlite3_mprintf("SELECT tbl_name FROM \"%w\".sqlite_schema WHERE rootpage = %d", schema, root);
    if (!sql)
        return SQLITE_NOMEM;
    rc = sqlite3_prepare_v2(c->db, sql, -1, &s, NULL);
    sqlite3_free(sql);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        add_table(tables, schema, (const char *)sqlite3_column_text(s, 0));
    else
        tables->all = true;
    rc = sqlite3_finalize(s);
    return rc;
}

static int add_opcode(rsq_conn *c, sqlite3_stmt *program, rsq_names *tables)
{
    const char *opcode = (const char *)sqlite3_column_text(program, EXPLAIN_OPCODE);

    if (!opcode)
        return SQLITE_NOMEM;
    for (size_t i = 0; i < sizeof opaque / sizeof opaque[0]; i++) {
        if (strcmp(opcode, opaque[i]) == 0)
            tables->all = true;
    }
    if (strcmp(opcode, "OpenRead") != 0 && strcmp(opcode, "ReopenIdx") != 0)
        return SQLITE_OK;
    return add_table_of_root(c, sqlite3_column_int(program, EXPLAIN_P3),
                             sqlite3_column_int(program, EXPLAIN_P2), tables);
}

static rsq_code add_cursors(rsq_conn *c, const rsq_request *rq, rsq_names *tables, rsq_error *err)
{
    static const char prefix[] = "EXPLAIN ";
    size_t prefix_len = sizeof prefix - 1;
    size_t skip = rsq_sql_skip(rq->sql, rq->sql_len);
    size_t len = rq->sql_len - skip;
    char *sql = rsq_alloc(prefix_len + len + 1);
    sqlite3_stmt *program = NULL;
    rsq_code code;
    int rc;

    if (!sql)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    memcpy(sql, prefix, prefix_len);
    memcpy(sql + prefix_len, rq->sql + skip, len);
    sql[prefix_len + len] = '\0';
    code = rsq_conn_compile(c, sql, prefix_len + len, 0, &program, err);
    rsq_free(sql);
    if (code != RSQ_OK)
        return code;
    while ((rc = sqlite3_step(program)) == SQLITE_ROW) {
        rc = add_opcode(c, program, tables);
        if (rc != SQLITE_OK)
            break;
    }
    if (rc != SQLITE_DONE && rc != SQLITE_OK)
        code = rsq_sql_error(c, rc, NULL, err);
    sqlite3_finalize(program);
    return code;
}

rsq_code rsq_conn_reads(rsq_conn *c, const rsq_request *rq, rsq_names *tables, rsq_error *err)
{
    sqlite3_stmt *h = NULL;
    bool explains;
    rsq_code code;

    c->guard.reads = tables;
    code = rsq_conn_compile(c, rq->sql, rq->sql_len, 0, &h, err);
    c->guard.reads = NULL;
    if (code != RSQ_OK)
        return code;
    explains = sqlite3_stmt_isexplain(h) != 0;
    sqlite3_finalize(h);
    if (explains) {
        tables->all = true; /* EXPLAIN itself cannot be explained */
        return RSQ_OK;
    }
    return add_cursors(c, rq, tables, err);
}
