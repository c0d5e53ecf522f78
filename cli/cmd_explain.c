/* resqlite explain --live: what a live query depends on. */
#include "commands.h"

#include <resqlite.h>
#include <string.h>

#include "database.h"
#include "diag.h"
#include "out.h"
#include "statement.h"

static const char help[] =
    "Usage: resqlite explain --live DATABASE SQL [OPTION…]\n"
    "\n"
    "Prints what the answer of a query depends on, table by table: which commits\n"
    "would wake it if it were a live query. The query is not run, and needs no values\n"
    "for its parameters.\n"
    "\n"
    "  level   key: rows on these keys; column: these columns; table: any change of\n"
    "          the table; everything: each commit; constant: nothing; volatile: the\n"
    "          answer may change without a commit\n"
    "\n"
    "  --no-header    without the line of column names\n"
    "  --csv          CSV instead of a table\n"
    "\n"
    "Example:\n"
    "  resqlite explain --live cities.db 'SELECT name FROM cities WHERE id = ?'\n"
    "\n"
    "Exit status: 0 success, 1 SQL error, 2 usage, 3 cannot open, 4 output failed.\n";

static int run(const statement *s, rsq_db *db)
{
    rsq_result *r;
    rsq_error err;

    if (rsq_stream_dependencies(db, s->sql, NULL, &r, &err) != RSQ_OK)
        return diag_sql(s->database, &err);
    format_print(&s->format, r);
    rsq_result_unref(r);
    return STATUS_OK;
}

int cmd_explain(char **words)
{
    statement s = {0};
    int status;
    rsq_db *db;

    /* There may be other things to explain one day. */
    if (words[0] && strcmp(words[0], "--live") == 0)
        words++;
    else if (!words[0] || strcmp(words[0], "--help") != 0)
        return diag_usage("explain", "explain needs --live as its first word");
    status = statement_parse(&s, "explain", words);
    if (s.help) {
        out_puts(help);
    } else if (status == STATUS_OK) {
        status = database_open_for_reading(s.database, &db);
        if (status == STATUS_OK) {
            status = run(&s, db);
            rsq_close(db);
        }
    }
    statement_fini(&s);
    return status;
}
