/*
 * resqlite query: one statement that reads, its rows on stdout.
 *
 * For JSON the library's own bytes are printed, not a second rendering of the
 * cells: what a program gets from rsq_select_json() is what a shell gets here.
 */
#include "commands.h"

#include <resqlite.h>

#include "database.h"
#include "diag.h"
#include "json_out.h"
#include "out.h"
#include "statement.h"

static const char help[] =
    "Usage: resqlite query DATABASE SQL [PARAMETER…] [OPTION…]\n"
    "\n"
    "Runs one statement that reads and prints its rows as an aligned table. On a\n"
    "terminal, cells are cut to its width; elsewhere nothing is cut. NULL is shown\n"
    "as NULL, the text NULL as 'NULL'. The database must exist; the file is not changed.\n"
    "\n"
    "Format:\n"
    "  --json         one JSON array of objects\n"
    "  --ndjson       one JSON object a line\n"
    "  --csv          CSV (RFC 4180); NULL is an empty field, an empty text is \"\"\n"
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
    "  resqlite query cities.db 'SELECT name, lat FROM cities WHERE country = ?' SJ\n"
    "\n"
    "Exit status: 0 success, 1 SQL error, 2 usage, 3 cannot open, 4 output failed.\n";

static void print_json(const statement *s, const rsq_result *r)
{
    size_t len;
    const char *json = rsq_result_json(r, &len);

    if (s->format.format == FORMAT_NDJSON) {
        json_print_lines(json, len);
    } else {
        json_print(json, len);
        out_write("\n", 1);
    }
}

static int run(const statement *s, rsq_db *db)
{
    const params *p = &s->params;
    bool json = s->format.format == FORMAT_JSON || s->format.format == FORMAT_NDJSON;
    rsq_result *r;
    rsq_error err;

    if ((json ? rsq_select_json : rsq_select)(db, s->sql, p->values, p->count, NULL, &r, &err) != RSQ_OK)
        return diag_sql(s->database, &err);
    if (json)
        print_json(s, r);
    else
        format_print(&s->format, r);
    rsq_result_unref(r);
    return STATUS_OK;
}

int cmd_query(char **words)
{
    statement s = {0};
    int status = statement_parse(&s, "query", words);
    rsq_db *db;

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
