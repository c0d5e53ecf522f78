/*
 * resqlite exec: one statement that writes; what it changed, or the rows of
 * its RETURNING, on stdout. Or several, in one transaction.
 */
#include "commands.h"

#include <inttypes.h>
#include <stdbool.h>

#include <resqlite.h>

#include "database.h"
#include "diag.h"
#include "out.h"
#include "plain.h"
#include "statement.h"

static const char help[] =
    "Usage: resqlite exec DATABASE SQL [PARAMETER…] [OPTION…]\n"
    "\n"
    "Runs one statement that writes, or changes the schema, in a transaction of its\n"
    "own. Prints how many rows it changed and the row id of the last row inserted,\n"
    "or the rows of its RETURNING. A database that does not exist is made.\n"
    "\n"
    "SQL of several statements, without parameters, runs in one transaction, all or\n"
    "nothing, and prints nothing.\n"
    "\n"
    "Format:\n"
    "  --json         rows as one JSON array of objects; without RETURNING the object\n"
    "                 {\"changes\":…,\"last_insert_rowid\":…,\"commit\":…}\n"
    "  --ndjson       one JSON object a line\n"
    "  --csv          CSV (RFC 4180)\n"
    "  --no-header    table and CSV without the line of column names\n"
    "\n"
    "Parameters, in the order of the SQL's `?`:\n"
    "  WORD           as text\n"
    "  --int N, --real X, --text T, --null, --blob-hex HEX\n"
    "  --infer        words that are written as numbers (5, -1.5, 1e5) are numbers;\n"
    "                 03 and +1 stay text\n"
    "  --             all words that follow are parameters, not options\n"
    "\n"
    "Example:\n"
    "  resqlite exec shop.db 'INSERT INTO item (name, price) VALUES (?, ?)' tea --real 3.5\n"
    "\n"
    "Exit status: 0 success, 1 SQL error (nothing is changed), 2 usage, 3 cannot open,\n"
    "4 disk or output failed.\n";

static void print_figures(const row_format *f, const rsq_result *r)
{
    int64_t changes = rsq_result_changes(r), rowid = rsq_result_last_insert_rowid(r);
    uint64_t commit = rsq_result_commit_seq(r);
    strbuf line = {0};

    switch (f->format) {
    case FORMAT_JSON:
    case FORMAT_NDJSON:
        strbuf_printf(&line,
                      "{\"changes\":%" PRId64 ",\"last_insert_rowid\":%" PRId64 ",\"commit\":%" PRIu64 "}\n",
                      changes, rowid, commit);
        break;
    case FORMAT_CSV:
        if (!f->no_header)
            strbuf_puts(&line, "changes,last_insert_rowid,commit\r\n");
        strbuf_printf(&line, "%" PRId64 ",%" PRId64 ",%" PRIu64 "\r\n", changes, rowid, commit);
        break;
    case FORMAT_TABLE:
        plain_add_count(&line, (uint64_t)changes);
        strbuf_puts(&line, changes == 1 ? " row changed" : " rows changed");
        if (rowid)
            strbuf_printf(&line, ", last row id %" PRId64, rowid);
        strbuf_putc(&line, '\n');
        break;
    }
    out_take(&line);
    strbuf_fini(&line);
}

/* Was the SQL refused, before anything was done, because another statement follows the first? */
static bool is_script(const statement *s, const rsq_error *err)
{
    return err->code == RSQ_EINVAL && err->sql_offset > 0 && s->sql[err->sql_offset];
}

static int run_script(const statement *s, rsq_db *db)
{
    rsq_error err;

    if (rsq_execute_script(db, s->sql, NULL, &err) != RSQ_OK)
        return diag_sql(s->database, &err);
    return STATUS_OK;
}

static int run(const statement *s, rsq_db *db)
{
    rsq_result *r;
    rsq_error err;

    if (rsq_execute(db, s->sql, s->params.values, s->params.count, NULL, &r, &err) != RSQ_OK) {
        if (is_script(s, &err) && !s->params.count)
            return run_script(s, db);
        return diag_sql(s->database, &err);
    }
    if (rsq_result_columns(r))
        format_print(&s->format, r);
    else
        print_figures(&s->format, r);
    rsq_result_unref(r);
    return STATUS_OK;
}

int cmd_exec(char **words)
{
    statement s = {0};
    int status = statement_parse(&s, "exec", words);
    rsq_db *db;

    if (s.help) {
        out_puts(help);
    } else if (status == STATUS_OK) {
        status = database_open(s.database, 0, &db);
        if (status == STATUS_OK) {
            status = run(&s, db);
            rsq_close(db);
        }
    }
    statement_fini(&s);
    return status;
}
