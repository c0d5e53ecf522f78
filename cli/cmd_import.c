/*
 * resqlite import: a CSV, JSON or NDJSON file into a table.
 *
 * One pass for the rows, and with --infer another one before it for the types:
 * a column is a number only if every value of the file is one, which is not
 * known until the last.
 */
#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <resqlite.h>

#include "args.h"
#include "database.h"
#include "diag.h"
#include "import.h"
#include "import_load.h"
#include "import_types.h"
#include "out.h"
#include "plain.h"

static const char help[] =
    "Usage: resqlite import DATABASE FILE --table TABLE [OPTION…]\n"
    "\n"
    "Loads rows from FILE (- is standard input) into TABLE. CSV begins with a line of\n"
    "column names; JSON is one array of objects; NDJSON is one object after the other.\n"
    "A missing database and a missing table are made, the table with its columns in\n"
    "the order of their first appearance. Into a table that exists, values go by\n"
    "column name, and a column that it does not have is refused. A key that an object\n"
    "does not have is NULL.\n"
    "\n"
    "  --table TABLE     the table; required\n"
    "  --format FORMAT   csv, json or ndjson; default: by the file's extension\n"
    "                    (.csv, .json, .ndjson, .jsonl)\n"
    "  --infer           a column is INTEGER or REAL if every value of the file is\n"
    "                    written as a number: -5, 1.25, 1e5, but not 03, +1 or 1.\n"
    "                    One other value, and the column is TEXT. Reads the file twice;\n"
    "                    standard input goes through a temporary file\n"
    "  --types LIST      types of some columns: name:integer,name:real,name:text\n"
    "  --empty-null      an empty CSV field without quotes is NULL in every column;\n"
    "                    without this option only in columns of numbers\n"
    "  --atomic          all rows or none, in one transaction; else one transaction\n"
    "                    for each 10,000 rows\n"
    "  -q, --quiet       no progress and no last line on standard error\n"
    "\n"
    "Without --infer and --types all of CSV is TEXT; in JSON each value has its own\n"
    "type: strings are TEXT, numbers INTEGER or REAL, true and false 1 and 0, null is\n"
    "NULL, objects and arrays are kept as JSON text.\n"
    "\n"
    "A wrong row ends the import with FILE:LINE:COLUMN and what is wrong; the column\n"
    "counts bytes. With --atomic the table is as it was, else the rows before the\n"
    "wrong one are kept, and their number is in the message.\n"
    "\n"
    "Example:\n"
    "  resqlite import cities.db cities.json --table cities --infer\n"
    "\n"
    "Exit status: 0 success, 1 wrong data or SQL error, 2 usage, 3 the database or FILE\n"
    "cannot be opened, 4 reading FILE or writing failed.\n";

typedef enum file_format { FILE_UNKNOWN, FILE_CSV, FILE_JSON, FILE_NDJSON } file_format;

typedef struct import {
    const char *database, *path, *table; /* words of the command line */
    file_format format;
    bool infer, atomic, quiet, help;

    input in;
    column_list columns; /* owned, as what follows */
    import_types types;
    import_failure failure;
    progress progress;
    loader loader;
} import;

/* ---------------------------------------------------------- command line -- */

enum {
    OPTION_TABLE = 1,
    OPTION_FORMAT,
    OPTION_INFER,
    OPTION_TYPES,
    OPTION_EMPTY_NULL,
    OPTION_ATOMIC,
    OPTION_QUIET
};

static file_format format_of_name(const char *name)
{
    static const struct {
        const char *name;
        file_format format;
    } known[] = {{"csv", FILE_CSV}, {"json", FILE_JSON}, {"ndjson", FILE_NDJSON}, {"jsonl", FILE_NDJSON}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, name) == 0)
            return known[i].format;
    }
    return FILE_UNKNOWN;
}

static int take_types(import *m, const char *list)
{
    char *wrong = import_types_parse(&m->types, list);
    int status = STATUS_OK;

    if (wrong)
        status = diag_usage("import", "import: --types: %s", wrong);
    free(wrong);
    return status;
}

static int take_plain(import *m, const char *word)
{
    if (!m->database)
        m->database = word;
    else if (!m->path)
        m->path = word;
    else
        return diag_usage("import", "import: %s is one word too many", word);
    return STATUS_OK;
}

static int take(import *m, int option, const char *value)
{
    switch (option) {
    case ARGS_PLAIN:
        return take_plain(m, value);
    case OPTION_TABLE:
        m->table = value;
        return STATUS_OK;
    case OPTION_FORMAT:
        m->format = format_of_name(value);
        if (m->format == FILE_UNKNOWN)
            return diag_usage("import", "import: --format %s: csv, json or ndjson is expected", value);
        return STATUS_OK;
    case OPTION_TYPES:
        return take_types(m, value);
    case OPTION_INFER:
        m->infer = true;
        return STATUS_OK;
    case OPTION_EMPTY_NULL:
        m->types.empty_is_null = true;
        return STATUS_OK;
    case OPTION_ATOMIC:
        m->atomic = true;
        return STATUS_OK;
    case OPTION_QUIET:
        m->quiet = true;
        return STATUS_OK;
    case OPTION_HELP:
        m->help = true;
        return STATUS_OK;
    default:
        return STATUS_USAGE; /* reported by args_next() */
    }
}

static int check_arguments(import *m)
{
    const char *dot;

    if (!m->database)
        return diag_usage("import", "import: into which database?");
    if (!m->path)
        return diag_usage("import", "import: which file?");
    if (!m->table || !*m->table)
        return diag_usage("import", "import: into which --table?");
    if (m->format != FILE_UNKNOWN)
        return STATUS_OK;
    dot = strrchr(m->path, '.');
    m->format = dot ? format_of_name(dot + 1) : FILE_UNKNOWN;
    if (m->format == FILE_UNKNOWN)
        return diag_usage("import", "import: %s: the name does not say which --format it has", m->path);
    return STATUS_OK;
}

static int parse(import *m, char **words)
{
    static const arg_option options[] = {
        {"table", 0, true, OPTION_TABLE},
        {"format", 0, true, OPTION_FORMAT},
        {"infer", 0, false, OPTION_INFER},
        {"types", 0, true, OPTION_TYPES},
        {"atomic", 0, false, OPTION_ATOMIC},
        {"empty-null", 0, false, OPTION_EMPTY_NULL},
        {"quiet", 'q', false, OPTION_QUIET},
        HELP_OPTION,
        {NULL, 0, false, 0},
    };
    args a = {.command = "import", .words = words, .options = options};
    const char *value;
    int option, status = STATUS_OK;

    while (status == STATUS_OK && !m->help && (option = args_next(&a, &value)) != ARGS_END)
        status = take(m, option, value);
    return status == STATUS_OK && !m->help ? check_arguments(m) : status;
}

/* ----------------------------------------------------------------- passes -- */

static bool on_column(void *ctx, reader *r, size_t column, uint64_t offset)
{
    import *m = ctx;

    import_types_add(&m->types, m->columns.names[column]);
    return loader_column(&m->loader, r, column, offset);
}

static bool see_row(void *ctx, reader *r, const import_row *row)
{
    import *m = ctx;

    import_types_see(&m->types, row);
    arena_clear(r->texts);
    return true;
}

static void fail_without_place(import *m, const char *message, const char *detail)
{
    m->failure.happened = true;
    m->failure.status = STATUS_SQL;
    snprintf(m->failure.message, sizeof m->failure.message, "%s%s", message, detail);
}

/* A mistyped name in --types must not pass as a column without a type. */
static bool check_types(import *m)
{
    const char *unused = import_types_unused(&m->types);

    if (unused)
        fail_without_place(m, "no column has the name that --types gives: ", unused);
    return !unused;
}

static bool load_row(void *ctx, reader *r, const import_row *row)
{
    import *m = ctx;

    /* CSV has named all its columns by now; in JSON the last row may bring one more. */
    if (m->format == FILE_CSV && r->rows == 0 && !check_types(m))
        return false;
    return loader_row(&m->loader, r, row);
}

static bool read_file(import *m, const char *label, bool (*on_row)(void *, reader *, const import_row *))
{
    reader r = {.in = &m->in,
                .columns = &m->columns,
                .texts = &m->loader.texts,
                .progress = &m->progress,
                .failure = &m->failure,
                .on_column = on_column,
                .on_row = on_row,
                .ctx = m};

    progress_begin(&m->progress, label, m->in.size);
    return m->format == FILE_CSV ? import_read_csv(&r) : import_read_json(&r, m->format == FILE_NDJSON);
}

static bool infer_types(import *m)
{
    reader r = {.in = &m->in, .failure = &m->failure};

    m->types.fallback = TYPE_TEXT;
    if (!read_file(m, "finding types", see_row))
        return false;
    if (!check_types(m))
        return false;
    import_types_decide(&m->types);
    return input_rewind(&m->in) || import_check_input(&r);
}

/* What can only be said at the end of the file. */
static bool check_end(import *m)
{
    if (!check_types(m))
        return false;
    if (!m->columns.count && !m->loader.has_table)
        fail_without_place(m, "no rows, and so no columns to make the table of", "");
    return !m->failure.happened;
}

static bool load(import *m)
{
    bool ok = read_file(m, "importing", load_row) && check_end(m);

    return loader_flush(&m->loader) && ok;
}

static rsq_code load_in_transaction(rsq_tx *tx, void *ctx)
{
    import *m = ctx;

    m->loader.tx = tx;
    return load(m) ? RSQ_OK : RSQ_ECANCELLED;
}

static bool load_atomic(import *m)
{
    rsq_error err;

    if (rsq_transaction(m->loader.db, load_in_transaction, m, NULL, &err) == RSQ_OK)
        return true;
    if (!m->failure.happened) { /* not begun, or COMMIT failed */
        fail_without_place(m, err.message, "");
        m->failure.status = diag_status(&err);
        m->failure.in_database = true;
    }
    m->loader.rows_saved = 0;
    return false;
}

/* ----------------------------------------------------------------- report -- */

static int report(import *m)
{
    const import_failure *f = &m->failure;
    strbuf kept = {0};

    progress_erase(&m->progress);
    if (m->loader.rows_saved == 0) {
        strbuf_puts(&kept, "nothing imported");
    } else {
        plain_add_count(&kept, m->loader.rows_saved);
        strbuf_puts(&kept, m->loader.rows_saved == 1 ? " row kept" : " rows kept");
    }
    strbuf_cstr(&kept);
    if (f->placed)
        diag_error("%s:%" PRIu64 ":%" PRIu64 ": %s; %s", m->in.name, f->place.line, f->place.column,
                   f->message, kept.data);
    else
        diag_error("%s: %s; %s", f->in_database ? m->database : m->in.name, f->message, kept.data);
    strbuf_fini(&kept);
    return f->status;
}

static int run(import *m, rsq_db *db)
{
    int status;

    m->loader.db = db;
    m->loader.table = m->table;
    m->loader.columns = &m->columns;
    m->loader.types = &m->types;
    m->loader.failure = &m->failure;
    m->types.fallback = m->format == FILE_CSV ? TYPE_TEXT : TYPE_ANY;
    status = loader_init(&m->loader, m->database);
    if (status != STATUS_OK)
        return status;
    progress_init(&m->progress, m->quiet);
    if ((m->infer && !infer_types(m)) || !(m->atomic ? load_atomic(m) : load(m)))
        return report(m);
    progress_done(&m->progress, m->table, m->loader.rows_saved);
    return STATUS_OK;
}

static int open_and_run(import *m)
{
    int status = input_open(&m->in, m->path, m->infer);
    rsq_db *db;

    if (status != STATUS_OK)
        return status;
    status = database_open(m->database, 0, &db);
    if (status == STATUS_OK) {
        status = run(m, db);
        rsq_close(db);
    }
    input_close(&m->in);
    return status;
}

int cmd_import(char **words)
{
import m = {0 };
    int status = parse(&m, words);

    if (m.help)
        out_puts(help);
    else if (status == STATUS_OK)
        status = open_and_run(&m);
    loader_fini(&m.loader);
    import_types_fini(&m.types);
    columns_fini(&m.columns);
    return status;
}
