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
    "  --csv, --json, --ndjson\n"
    "                 that instead of a table; as for resqlite query\n"
    "  --no-header    table and CSV without the line of column names\n"
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

/* There may be other things to explain one day. */
static bool take_live(char **words)
{
    for (; *words && strcmp(*words, "--") != 0; words++) {
        if (strcmp(*words, "--live") != 0)
            continue;
        for (; *words; words++)
            words[0] = words[1];
        return true;
    }
    return false;
}

int cmd_explain(char **words)
{
    statement s = {0};
    bool live = take_live(words);
    int status = statement_parse(&s, "explain", words);
    rsq_db *db;

    if (s.help) {
        out_puts(help);
    } else if (status == STATUS_OK && !live) {
        status = diag_usage("explain", "explain needs --live");
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
